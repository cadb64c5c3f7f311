// Package core is the contract between the users of Caisson and its drivers.
//
// A [Driver] is one configured container engine. It makes a [Runtime] ready and
// starts sandboxes from it. A [Backend] is one live sandbox: it runs commands,
// takes and gives files, and stops. [Open] picks a driver by URL, [Start] makes
// a [Sandbox] from it:
//
//	drv, err := core.Open(ctx, "auto:")
//	...
//	defer drv.Close()
//	sb, err := core.Start(ctx, drv, &core.Spec{Runtime: &core.Runtime{Image: "python:3.12-slim"}})
//	...
//	defer sb.Stop(context.WithoutCancel(ctx))
//	res, err := sb.Execute(ctx, core.Shell("echo hello > greeting.txt"))
//
// A program links the drivers it wants by blank import, as with database/sql:
//
//	import _ "github.com/caisson-dev/caisson/drivers/docker"
//
// What a Backend does is the same on every driver; the conformance suite holds
// each of them to it. Package core itself imports the standard library only.
package core
