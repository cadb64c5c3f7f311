package sessions_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
	"github.com/caisson-dev/caisson/runtimes"
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

// What a request leaves in its user's sandbox, the next one finds.
func ExampleManager_GetOrCreate() {
	ctx := context.Background()
	manager, err := sessions.New(fake.New(nil), &sessions.Options{DefaultRuntime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _, _ = manager.Shutdown(ctx) }()

	request := func(user, script string) {
		session, err := manager.GetOrCreate(ctx, user, nil)
		if err != nil {
			panic(err)
		}
		res, err := session.Execute(ctx, core.Shell(script))
		if err != nil {
			panic(err)
		}
		fmt.Print(res.Stdout.String())
	}
	request("user-123", "echo hello > greeting.txt")
	request("user-123", "cat greeting.txt")
	request("user-456", "ls")
	// Output:
	// hello
}

// A runtime that only this session has, and an idle time of its own. Whoever
// asks for the session later need not know of either.
func ExampleGetOptions() {
	ctx := context.Background()
	manager, err := sessions.New(fake.New(nil), &sessions.Options{DefaultRuntime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _, _ = manager.Shutdown(ctx) }()

	node, err := runtimes.Get("node-minimal")
	if err != nil {
		panic(err)
	}
	if _, err := manager.GetOrCreate(ctx, "alice", &sessions.GetOptions{Runtime: node, IdleTimeout: 5 * time.Minute}); err != nil {
		panic(err)
	}
	session, err := manager.GetOrCreate(ctx, "alice", nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(session.Runtime().Name)
	// Output:
	// node-minimal
}

// Sessions that nobody uses end by themselves while the program runs, or when
// it says so. Their files wait for the users.
func ExampleManager_StartCleanup() {
	ctx := context.Background()
	manager, err := sessions.New(fake.New(nil), &sessions.Options{
		Owner: "my-app", DefaultRuntime: &core.Runtime{Image: "debian:bookworm"}, IdleTimeout: time.Hour,
	})
	if err != nil {
		panic(err)
	}
	manager.StartCleanup(5 * time.Minute) // looks every five minutes
	session, err := manager.GetOrCreate(ctx, "alice", nil)
	if err != nil {
		panic(err)
	}
	if err := session.Upload(ctx, "notes.txt", strings.NewReader("kept"), nil); err != nil {
		panic(err)
	}
	manager.StopCleanup()

	time.Sleep(2 * time.Millisecond)
	count, err := manager.CleanupIdle(ctx, time.Millisecond) // of a busy program rather 30 minutes
	if err != nil {
		panic(err)
	}
	fmt.Println("ended:", count, "live:", manager.Len())

	if session, err = manager.GetOrCreate(ctx, "alice", nil); err != nil {
		panic(err)
	}
	res, err := session.Execute(ctx, core.Program("cat", "notes.txt"))
	if err != nil {
		panic(err)
	}
	fmt.Println(res.Stdout.String())
	if _, err := manager.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// ended: 1 live: 0
	// kept
}

// A manager with a pool gives a new user a sandbox that runs already.
func ExamplePoolOptions() {
	ctx := context.Background()
	manager, err := sessions.New(fake.New(nil), &sessions.Options{
		DefaultRuntime: &core.Runtime{Image: "debian:bookworm"},
		Pool:           &sessions.PoolOptions{Min: 2, Exhausted: sessions.ExhaustedWait},
		Hooks: sessions.Hooks{Created: func(_ context.Context, e sessions.Event) {
			fmt.Println(e.Session, "has a warm sandbox:", e.Warm)
		}},
	})
	if err != nil {
		panic(err)
	}
	if _, err := manager.GetOrCreate(ctx, "alice", nil); err != nil {
		panic(err)
	}
	if _, err := manager.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// alice has a warm sandbox: true
}

// Another process looks into a session while its program goes on with it.
func ExampleVisit() {
	ctx := context.Background()
	driver := fake.New(nil)
	manager, err := sessions.New(driver, &sessions.Options{Owner: "my-app", DefaultRuntime: &core.Runtime{Image: "debian:bookworm"}})
	if err != nil {
		panic(err)
	}
	defer func() { _, _ = manager.Shutdown(ctx) }()
	session, err := manager.GetOrCreate(ctx, "alice", nil)
	if err != nil {
		panic(err)
	}
	if err := session.Upload(ctx, "report.txt", strings.NewReader("all is well"), nil); err != nil {
		panic(err)
	}

	another := driver.Sibling() // of a real engine, a driver that core.Open returns
	list, err := sessions.List(ctx, another, "my-app")
	if err != nil {
		panic(err)
	}
	for _, info := range list {
		fmt.Println(info.ID, info.Running)
	}
	sb, err := sessions.Visit(ctx, another, "my-app", "alice", nil)
	if err != nil {
		panic(err)
	}
	defer func() { _ = sb.Stop(ctx) }() // the session stays
	res, err := sb.Execute(ctx, core.Program("cat", "report.txt"))
	if err != nil {
		panic(err)
	}
	fmt.Println(res.Stdout.String())
	// Output:
	// alice true
	// all is well
}
