/** The only file that a deployment publishes. It names no server: it can be read without a key. */
export function indexPage(): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="robots" content="noindex" />
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'" />
    <meta name="referrer" content="no-referrer" />
    <title>Mayfly</title>
  </head>
  <body>
    <h1>Mayfly</h1>
    <p>An MCP server is served at <code>/mcp</code> (streamable HTTP, POST).</p>
  </body>
</html>
`;
}
