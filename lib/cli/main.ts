#!/usr/bin/env node

// Before all that takes time to load: until then, whoever lists the processes of the machine reads the arguments, and
// with them --auth-key and -e NAME=VALUE. Node has copied them already.
process.title = "mayfly";

await import("./program.ts");
