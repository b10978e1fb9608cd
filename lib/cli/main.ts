#!/usr/bin/env node

// Before all that takes time to load: until then, whoever lists the processes of the machine reads the arguments, and
// with them --auth-key and -e NAME=VALUE. Node has copied them already.
process.title = "mayfly";

// The client of `connect` waits for it: what the other commands load takes longer than all that it needs.
if (process.argv[2] === "connect") await import("./connect-program.ts");
else await import("./program.ts");
