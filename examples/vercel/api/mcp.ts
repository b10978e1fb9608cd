export { default } from "mcp-mayfly/vercel";
