import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { RpcRequestError } from "viem";
import { httpEndpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import {
  InconsistentAnswerError,
  RateLimitedError,
  RpcUnavailableError,
} from "../../../../keepers/src/chain/rpc/errors.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

type Handler = (
  body: { id: number; method: string },
  response: ServerResponse,
  request: IncomingMessage,
) => void;

async function serve(handler: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    handler(
      JSON.parse(Buffer.concat(chunks).toString()) as { id: number; method: string },
      response,
      request,
    );
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const ask = (url: string, options = {}) =>
  httpEndpoint(url, options).request({ method: "eth_test", params: [1] }, new AbortController().signal);
const json = (response: ServerResponse, value: unknown, status = 200) =>
  response.writeHead(status).end(JSON.stringify(value));

describe("HTTP endpoint", () => {
  it("asks by JSON-RPC and gives the result", async () => {
    let asked: unknown;
    const url = await serve((body, response) => {
      asked = body;
      json(response, { id: body.id, result: "0x1" });
    });
    assert.equal(await ask(url), "0x1");
    assert.deepEqual(asked, { jsonrpc: "2.0", id: 1, method: "eth_test", params: [1] });
  });

  it("hands on a node's error with code and data, whatever the HTTP status", async () => {
    for (const status of [200, 400, 500]) {
      const url = await serve((body, response) =>
        json(
          response,
          { id: body.id, error: { code: 3, message: "execution reverted", data: "0x1234" } },
          status,
        ),
      );
      await assert.rejects(ask(url), (error: RpcRequestError & { data: unknown }) => {
        assert.ok(error instanceof RpcRequestError);
        assert.deepEqual([error.code, error.data, error.details], [3, "0x1234", "execution reverted"]);
        return true;
      });
    }
  });

  it("refuses an answer larger than the limit without reading it to its end", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        if (!response.destroyed) response.once("drain", pour);
      };
      pour();
    });
    await assert.rejects(ask(url, { maximumBytes: 1_000_000 }), /larger than 1000000 bytes/);
  });

  it("attack: reads four MiB of what holds no logs and no whole block, and parses no swarm of tiny values", async () => {
    let result = "";
    const url = await serve(({ id }, response) => {
      response.writeHead(200).end(`{"id":${id},"result":${result}}`);
    });
    const request = (method: string, params: unknown[] = []) =>
      httpEndpoint(url).request({ method, params }, new AbortController().signal);
    result = `"0x${"ab".repeat(3 * 1024 * 1024)}"`;
    await assert.rejects(request("eth_call"), /larger than 4194304 bytes/);
    await assert.rejects(request("eth_getBlockByNumber", ["0x1", false]), /larger than 4194304 bytes/);
    assert.equal(String(await request("eth_getBlockByNumber", ["0x1", true])).length, result.length - 2);
    const word = "ab".repeat(32);
    const log = `{"address":"0x${"12".repeat(20)}","topics":["0x${word}"],"data":"0x","blockNumber":"0x1","blockHash":"0x${word}","transactionHash":"0x${word}","transactionIndex":"0x0","logIndex":"0x0","removed":false}`;
    result = `[${Array(10_000).fill(log).join()}]`;
    assert.equal(((await request("eth_getLogs")) as unknown[]).length, 10_000);
    for (const tiny of ["{}", "[]", "0", '"",0']) {
      result = `[${Array(1_000_000).fill(tiny).join()}]`;
      await assert.rejects(request("eth_getLogs"), /too many values/);
    }
  });

  it("refuses redirects, pages, lists, and answers to another request", async () => {
    const bad: [Handler, new (...args: never[]) => Error][] = [
      [
        (_, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
        RpcUnavailableError,
      ],
      [(_, response) => response.writeHead(502).end("<html>bad gateway</html>"), RpcUnavailableError],
      [(_, response) => json(response, []), RpcUnavailableError],
      [(_, response) => json(response, null), RpcUnavailableError],
      [({ id }, response) => json(response, { id, result: "0x1" }, 503), RpcUnavailableError],
      [({ id }, response) => json(response, { id: id + 1, result: "0x1" }), InconsistentAnswerError],
    ];
    for (const [handler, type] of bad) await assert.rejects(ask(await serve(handler)), type);
  });

  it("says for how long an endpoint wants to be left alone", async () => {
    const url = await serve((_, response) => response.writeHead(429, { "retry-after": "7" }).end());
    await assert.rejects(ask(url), (error) => error instanceof RateLimitedError && error.retryAfter === 7000);
  });

  it("sends credentials of the URL as a header and shows neither them nor the path to anyone", async () => {
    let header: string | undefined;
    const url = await serve((body, response, request) => {
      header = request.headers.authorization;
      json(response, { id: body.id, error: { code: -32000, message: "no" } });
    });
    const secret = `${url.replace("//", "//user:pa55word@")}/v3/APIKEY?token=APIKEY`;
    const endpoint = httpEndpoint(secret);
    await assert.rejects(
      endpoint.request({ method: "eth_test" }, new AbortController().signal),
      (error: Error) => {
        assert.doesNotMatch(`${error.message} ${error.stack} ${endpoint.name}`, /pa55word|APIKEY/);
        return true;
      },
    );
    assert.equal(header, `Basic ${btoa("user:pa55word")}`);
    await assert.rejects(ask("http://user:pa55word@127.0.0.1:1/APIKEY"), (error: Error) => {
      assert.doesNotMatch(`${error.message} ${error.stack} ${error.cause}`, /pa55word|APIKEY/);
      return error instanceof RpcUnavailableError;
    });
  });

  it("refuses URLs that are not HTTP, without repeating them", () => {
    for (const url of ["ftp://user:pa55word@host", "nonsense", "file:///etc/passwd"]) {
      assert.throws(
        () => httpEndpoint(url),
        (error: Error) => !error.message.includes("pa55word"),
      );
    }
  });
});
