"""The suites' tools as an MCP server, and the model that obeys every injection as a model server. Both hold many runs at a time: the
address says which one is meant."""

import contextlib
import json
import socket
import threading
import time

import uvicorn
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
import mcp_types as types
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route

#: The server's key in the configuration.
NAME = "office"
#: How the names of tools begin that only look something up.
READING = ("get_", "search_", "list_", "read_", "check_")
#: Those of them that reach beyond the server's own data.
OPEN_WORLD = ("get_webpage",)


class Run:
    """One task: its environment, its tools, and the model that works on it."""

    def __init__(self, env, runtime, model):
        self.env, self.runtime, self.model = env, runtime, model
        self.done = []

    def tools(self):
        for function in self.runtime.functions.values():
            reads = function.name.startswith(READING)
            hints = types.ToolAnnotations(read_only_hint=reads, open_world_hint=not reads or function.name in OPEN_WORLD)
            schema = function.parameters.model_json_schema()
            yield types.Tool(name=function.name, description=function.description, input_schema=schema, annotations=hints)

    def call(self, name, arguments):
        self.done.append((name, arguments))
        result, error = self.runtime.run_function(self.env, name, arguments)
        text = error or tool_result_to_str(result)
        self.model.reads(text)
        data = None if error or result is None or isinstance(result, str) else {"result": plain(result)}
        content = [types.TextContent(type="text", text=text)]
        return types.CallToolResult(content=content, structured_content=data, is_error=error is not None)


def plain(value):
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


class Office:
    """Listens on a free port of this machine."""

    def __init__(self):
        self.runs = {}
        server = Server(NAME, on_list_tools=self.list_tools, on_call_tool=self.call_tool)
        manager = StreamableHTTPSessionManager(app=server, json_response=True, stateless=True)

        @contextlib.asynccontextmanager
        async def lifespan(_):
            async with manager.run():
                yield

        routes = [
            Route("/{run}/v1/models", self.models),
            Route("/{run}/v1/chat/completions", self.complete, methods=["POST"]),
            Mount("/{run}/mcp", app=manager.handle_request),
        ]
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(Starlette(routes=routes, lifespan=lifespan), log_level="error", access_log=False)
        server = uvicorn.Server(config)
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        while not server.started:
            time.sleep(0.01)

    def url(self, run, path):
        return f"http://127.0.0.1:{self.port}/{run}/{path}"

    def run(self, context):
        return self.runs[context.request.path_params["run"]]

    async def list_tools(self, context, _):
        return types.ListToolsResult(tools=list(self.run(context).tools()))

    async def call_tool(self, context, params):
        return self.run(context).call(params.name, params.arguments or {})

    async def models(self, _):
        return JSONResponse({"object": "list", "data": [{"id": "worst", "object": "model"}]})

    async def complete(self, request):
        model = self.runs[request.path_params["run"]].model
        tools = (await request.json()).get("tools")
        wanted = model.next() if tools else None
        return StreamingResponse(stream(wanted, model), media_type="text/event-stream")


def stream(wanted, model):
    """The answer of the model, as llama.cpp and its kin send it."""
    def chunk(delta, reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'model': 'worst', 'choices': [choice]})}\n\n"

    if wanted is None:
        yield chunk({"role": "assistant", "content": model.answer or "Done."})
        yield chunk({}, "stop")
    else:
        arguments = {"name": f"{NAME}__{wanted.function}", "arguments": wanted.args}
        function = {"name": "call_tool", "arguments": json.dumps(arguments, default=plain)}
        call = {"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function", "function": function}
        yield chunk({"role": "assistant", "tool_calls": [call]})
        yield chunk({}, "tool_calls")
    yield "data: [DONE]\n\n"
