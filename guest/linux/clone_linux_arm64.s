#include "textflag.h"

// func clone(flags uintptr, stack unsafe.Pointer) (pid int)
//
// The new process continues on its own stack, on which the caller has put the
// argument of child.
TEXT ·clone(SB), NOSPLIT|NOFRAME, $0-24
	MOVD flags+0(FP), R0
	MOVD stack+8(FP), R1
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $220, R8 // SYS_clone
	SVC
	CBZ R0, inchild
	MOVD R0, pid+16(FP)
	RET

inchild:
	MOVD $0, R29
	// By its address: the linker adds up the frames of direct calls, and this stack is a new one.
	MOVD $·child(SB), R9
	BL (R9)
	BRK // child does not return
