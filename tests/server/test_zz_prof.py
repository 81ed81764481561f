import asyncio, cProfile, json, pstats, time
from tests.server.composed import ASK, MODEL, Reply, composed
async def test_x(tmp_path, monkeypatch):
    gate = asyncio.Event()
    async with composed(tmp_path, monkeypatch, lambda r: Reply("#### 1", gate=gate), max_concurrent_requests=1) as server:
        asking = asyncio.create_task(server.http.post("/v1/chat/completions", json={**ASK,"model":MODEL+":plain"}))
        await server.core.begun.acquire()
        body=json.dumps({**ASK,"model":MODEL+":plain","max_tokens":48,"ignore_eos":True,"adaptation":{"memory":{"write":False}}}).encode()
        async def one():
            sent=[]
            scope={"type":"http","asgi":{"version":"3.0"},"http_version":"1.1","method":"POST","path":"/v1/chat/completions","raw_path":b"/v1/chat/completions","query_string":b"","scheme":"http","headers":[(b"host",b"127.0.0.1"),(b"content-type",b"application/json"),(b"content-length",str(len(body)).encode())],"client":("127.0.0.1",1),"server":("127.0.0.1",80),"root_path":""}
            done=False
            async def receive():
                nonlocal done
                if not done:
                    done=True
                    return {"type":"http.request","body":body,"more_body":False}
                await asyncio.Event().wait()
            async def send(m): sent.append(m)
            await server.app(scope, receive, send)
            return sent[0]["status"]
        print("asking done", asking.done(), asking.done() and asking.result().text[:300]); print(await asyncio.wait_for(one(), 5))
        for _ in range(50): await one()
        t=time.process_time()
        for _ in range(300): await one()
        print("ms each", (time.process_time()-t)/300*1000)
        p=cProfile.Profile(); p.enable()
        for _ in range(300): await one()
        p.disable()
        pstats.Stats(p).sort_stats("cumulative").print_stats(45)
        pstats.Stats(p).sort_stats("tottime").print_stats(20)
        gate.set(); await asking
