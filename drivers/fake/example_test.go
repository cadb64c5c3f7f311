package fake_test

import (
	"context"
	"fmt"
	"log"

	"github.com/caisson-dev/caisson/core"
	"github.com/caisson-dev/caisson/drivers/fake"
)

// A fault that is switched on shows how a program takes it.
func ExampleDriver_Inject() {
	ctx := context.Background()
	driver := fake.New(nil)
	sb, err := core.Start(ctx, driver, &core.Spec{Runtime: &core.Runtime{Image: "python:3.12-slim"}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = sb.Stop(ctx) }() // nothing is left of it in any case

	res, err := sb.Execute(ctx, core.Shell("seq 3 | tac | paste -sd, -"))
	fmt.Printf("%s%v\n", res.Stdout.Bytes(), err)

	driver.Inject(fake.OutOfMemory)
	res, err = sb.Execute(ctx, core.Program("true"))
	fmt.Println(res.Reason, err)
	// Output:
	// 3,2,1
	// <nil>
	// out_of_memory <nil>
}
