#include "textflag.h"

// func clone(flags uintptr, stack unsafe.Pointer, entry, arg uintptr) (pid int)
//
// The new process calls entry on its own stack, with arg where Go's internal
// calling convention has the first argument. It calls by address: the linker
// adds up the frames of direct calls, and this stack is a new one.
TEXT ·clone(SB), NOSPLIT|NOFRAME, $0-40
	MOVD flags+0(FP), R0
	MOVD stack+8(FP), R1
	MOVD entry+16(FP), R9
	MOVD arg+24(FP), R10
	MOVD $0, R2
	MOVD $0, R3
	MOVD $0, R4
	MOVD $220, R8 // SYS_clone
	SVC
	CBZ R0, inchild
	MOVD R0, pid+32(FP)
	RET

inchild:
	MOVD $0, R29
	MOVD R10, R0
	BL (R9)
	BRK // entry does not return
