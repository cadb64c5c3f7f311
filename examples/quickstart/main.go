// Command quickstart runs three commands in one sandbox, which keeps its files
// between them, and takes a file out that code in the sandbox has made.
//
//	go run ./examples/quickstart -driver auto: -image python:3.12-slim
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	_ "github.com/caisson-dev/caisson/drivers/docker"
	_ "github.com/caisson-dev/caisson/drivers/podman"
)

const sales = "region,amount\nnorth,120\nsouth,80\nnorth,50\n"

const totals = `
import csv, json
sums = {}
for row in csv.DictReader(open("sales.csv")):
    sums[row["region"]] = sums.get(row["region"], 0) + int(row["amount"])
json.dump(sums, open("totals.json", "w"), sort_keys=True)
`

func main() {
	driver := flag.String("driver", "auto:", "URL of the driver")
	image := flag.String("image", "python:3.12-slim", "an image with Python 3")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *driver, *image); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, driver, image string) (err error) {
	drv, err := core.Open(ctx, driver)
	if err != nil {
		return err
	}
	defer drv.Close()
	sb, err := core.Start(ctx, drv, &core.Spec{Runtime: &core.Runtime{Image: image}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Stop(ctx)) }()

	// Files live as long as the sandbox.
	if _, err := sb.Execute(ctx, core.Shell("echo 'hello from the first command' > greeting.txt")); err != nil {
		return err
	}
	res, err := sb.Execute(ctx, core.Program("cat", "greeting.txt"))
	if err != nil {
		return err
	}
	fmt.Fprint(w, res.Stdout.String())

	// Data goes in, code runs on it, and the answer comes out.
	if err := sb.Upload(ctx, "sales.csv", strings.NewReader(sales), nil); err != nil {
		return err
	}
	analysis := core.Program("python3", "-c", totals)
	analysis.Timeout = 10 * time.Second
	if res, err = sb.Execute(ctx, analysis); err != nil {
		return err
	}
	if !res.Success() { // a failed command is a result, not an error
		return fmt.Errorf("the analysis ended with status %d: %s", res.ExitCode, res.Stderr.String())
	}
	answer, err := sb.Read(ctx, "totals.json", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if _, err := io.Copy(w, answer); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w)
	return err
}
