#include "textflag.h"

// func clone(flags uintptr, stack unsafe.Pointer, entry, arg uintptr) (pid int)
//
// The new process calls entry on its own stack, with arg where Go's internal
// calling convention has the first argument. It calls by address: the linker
// adds up the frames of direct calls, and this stack is a new one.
TEXT ·clone(SB), NOSPLIT, $0-40
	MOVQ flags+0(FP), DI
	MOVQ stack+8(FP), SI
	MOVQ entry+16(FP), R12
	MOVQ arg+24(FP), R13
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $56, AX // SYS_clone
	SYSCALL
	TESTQ AX, AX
	JEQ inchild
	MOVQ AX, pid+32(FP)
	RET

inchild:
	XORL BP, BP
	XORPS X15, X15
	MOVQ R13, AX
	CALL R12
	INT $3 // entry does not return
