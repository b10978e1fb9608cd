// Imported before everything else: until it runs, whoever lists the processes of the machine reads the arguments, and
// with them --auth-key and -e NAME=VALUE. Node has copied them already.
process.title = "mayfly";
