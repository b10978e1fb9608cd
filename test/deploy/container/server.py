"""A server of one tool, of the standard library alone."""

import json
import sys

TOOL = {"name": "python", "inputSchema": {"type": "object"}}


def result(method, params):
    if method == "initialize":
        version = params["protocolVersion"]
        info = {"name": "python", "version": "1"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [TOOL]}
    return {"content": [{"type": "text", "text": f"Python {sys.version_info.major}"}]}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        answer = result(message["method"], message.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer}), flush=True)
