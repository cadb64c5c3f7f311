// Package sessions gives each user of a program one sandbox, which stays the
// same from call to call, ends when it has been idle for long, and is never
// another user's.
//
//	m, err := sessions.New(driver, &sessions.Options{Owner: "my-app", DefaultRuntime: rt})
//	...
//	m.StartCleanup(0)
//	defer m.Shutdown(context.Background())
//	...
//	s, err := m.GetOrCreate(ctx, userID, nil)
//	...
//	res, err := s.Execute(ctx, core.Shell("python3 analyse.py"))
//
// A [Manager] keeps no state that must survive it: names, labels and leases on
// the engine say which sandbox and which files are whose. So the next process
// with the same Owner finds the files of every session, and takes over the
// sandboxes that still run. One process at a time works for an owner; one that
// is started takes over from the one before.
//
// Three nets keep sandboxes from leaking: Shutdown ends them; a sandbox whose
// manager has died ends by itself when its lease does; and every manager
// removes what others have left, by label, with each pass of its clean-up.
package sessions
