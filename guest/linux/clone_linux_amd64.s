#include "textflag.h"

// func clone(flags uintptr, stack unsafe.Pointer) (pid int)
//
// The new process continues on its own stack, on which the caller has put the
// argument of child.
TEXT ·clone(SB), NOSPLIT, $0-24
	MOVQ flags+0(FP), DI
	MOVQ stack+8(FP), SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $56, AX // SYS_clone
	SYSCALL
	TESTQ AX, AX
	JEQ inchild
	MOVQ AX, pid+16(FP)
	RET

inchild:
	XORL BP, BP
	// By its address: the linker adds up the frames of direct calls, and this stack is a new one.
	MOVQ $·child(SB), AX
	CALL AX
	INT $3 // child does not return
