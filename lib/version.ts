/** How Mayfly names itself to a server when it knows no client to speak for. A test holds it to package.json. */
export const MAYFLY = { name: "mcp-mayfly", version: "0.1.0" } as const;
