package sessions_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/sessions"
)

// Three users upload data of their own and have it analysed, each in a sandbox
// that stays theirs from request to request.
func Example() {
	ctx := context.Background()
	manager, err := sessions.New(fake.New(nil), &sessions.Options{
		Owner: "analysis",
		DefaultRuntime: &core.Runtime{
			Name: "analysis-env", Description: "Data analysis environment",
			BaseImage: "python:3.12-slim", Packages: []string{"pandas", "numpy", "matplotlib", "seaborn"},
		},
		IdleTimeout: 30 * time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	manager.StartCleanup(5 * time.Minute)

	for _, user := range []string{"alice", "bob", "charlie"} {
		session, err := manager.GetOrCreate(ctx, user, nil)
		if err != nil {
			log.Fatal(err)
		}
		data := "name,value\n" + user + "," + fmt.Sprint(len(user)) + "\n"
		if err := session.Upload(ctx, "/uploads/data.csv", strings.NewReader(data), nil); err != nil {
			log.Fatal(err)
		}
		if _, err := session.Execute(ctx, core.Shell("tail -n 1 /uploads/data.csv > summary")); err != nil {
			log.Fatal(err)
		}
	}

	// The next request of a user finds what the one before has made.
	session, err := manager.GetOrCreate(ctx, "bob", nil)
	if err != nil {
		log.Fatal(err)
	}
	res, err := session.Execute(ctx, core.Program("cat", "summary"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Stdout.String())
	fmt.Println("Active sessions:", manager.Len())

	count, err := manager.Shutdown(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Cleaned up", count, "sessions")
	// Output:
	// bob,3
	// Active sessions: 3
	// Cleaned up 3 sessions
}

// A pool has sandboxes ready before anybody asks.
func ExamplePool() {
	ctx := context.Background()
	pool, err := sessions.NewPool(fake.New(nil), &core.Spec{Runtime: &core.Runtime{Image: "debian:bookworm"}}, &sessions.PoolOptions{Min: 2})
	if err != nil {
		log.Fatal(err)
	}
	sandbox, err := pool.Claim(ctx)
	if err != nil {
		log.Fatal(err)
	}
	res, err := sandbox.Execute(ctx, core.Shell("echo ready"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Stdout.String())
	if err := sandbox.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := pool.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ready
}
