// Command webserver gives each of its users a sandbox of their own, which keeps
// their files from request to request and sleeps while they are away.
//
//	go run ./examples/webserver -driver auto: -image python:3.12-slim
//
//	curl -c jar -b jar -T data.csv localhost:8080/files/data.csv
//	curl -c jar -b jar --data 'wc -l data.csv' localhost:8080/run
//	curl -c jar -b jar localhost:8080/files/data.csv
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/fake"
	_ "github.com/caisson-dev/caisson/drivers/podman"
	"github.com/caisson-dev/caisson/sessions"
)

func main() {
	driver := flag.String("driver", "auto:", "URL of the driver")
	image := flag.String("image", "python:3.12-slim", "image of the sandboxes")
	listen := flag.String("listen", "localhost:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *driver, *image, *listen)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then puts every session to sleep.
func run(ctx context.Context, driver, image, listen string) (err error) {
	drv, err := core.Open(ctx, driver)
	if err != nil {
		return err
	}
	defer drv.Close()
	manager, err := sessions.New(drv, &sessions.Options{
		Owner:          "example-webserver", // so that the next run finds what this one leaves
		DefaultRuntime: &core.Runtime{Image: image},
		IdleTimeout:    15 * time.Minute,
		MaxSessions:    100,
		Pool:           &sessions.PoolOptions{Min: 2},
		Logger:         slog.Default(),
	})
	if err != nil {
		return err
	}
	manager.StartCleanup(time.Minute)

	server := &http.Server{Addr: listen, Handler: newHandler(manager), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err := server.Shutdown(patience)
		n, endErr := manager.Shutdown(patience)
		log.Printf("%d sessions put to sleep", n)
		stopped <- errors.Join(err, endErr)
	}()
	log.Printf("listening on http://%s", listen)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		_, endErr := manager.Shutdown(context.Background())
		return errors.Join(err, endErr)
	}
	return <-stopped
}
