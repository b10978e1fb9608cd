import { serveStdio } from "@modelcontextprotocol/server/stdio";

import { createServer } from "./_server.mjs";

serveStdio(() => createServer("dual"));
