// The version of landlock(7) that this kernel has; 0: none, or it is hidden.
import { execFileSync } from 'node:child_process';

const SYS_LANDLOCK_CREATE_RULESET = 444;
const PROGRAM = `import ctypes; print(ctypes.CDLL(None).syscall(${SYS_LANDLOCK_CREATE_RULESET}, None, 0, 1))`;

export const LANDLOCK = Math.max(0, Number(execFileSync('python3', ['-c', PROGRAM])));
