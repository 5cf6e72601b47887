import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Counter } from "prom-client";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { createRedactor } from "../../../keepers/src/roles/redact.ts";
import { createTelemetry, type TelemetryServer } from "../../../keepers/src/roles/telemetry.ts";

const key = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const password = 'corr"ect hörse\\battery';
const rpc = "https://rpc.example/v3/0123456789abcdef0123456789abcdef";

function capture() {
  const lines: string[] = [];
  const telemetry = createTelemetry({
    level: "trace",
    stream: { write: (line) => void lines.push(line) },
    processMetrics: false,
  });
  return { lines, telemetry, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

const servers: TelemetryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe("logs", () => {
  it("attack: texts without end are looked through once for credentials, in time by their length", () => {
    const { text } = createRedactor();
    for (const part of ["a.", "a", "a.a:", "://", "a://b", "Basic ", "Bearer", " ", "x@"]) {
      const long = part.repeat(2 ** 20 / part.length);
      const begun = performance.now();
      text(long);
      const took = performance.now() - begun;
      assert.ok(took < 1000, `${part}: ${took} ms`);
    }
  });

  it("hold no credentials of a URL, whatever its scheme", () => {
    const { text } = createRedactor();
    const schemes = ["https", "wss", "git+ssh", "a.very-long.scheme".repeat(9), "étrange", ""];
    for (const scheme of schemes) {
      const line = text(`cannot reach "${scheme}://user:hunter22@host:1/path" at all`);
      assert.equal(line, `cannot reach "${scheme}://[redacted]@host:1/path" at all`);
    }
  });

  it("hold no protected secret, whichever way it gets there", () => {
    const { lines, telemetry } = capture();
    const { log } = telemetry;
    for (const secret of [key, password, rpc]) telemetry.protect(secret);
    const carrier = Object.assign(new Error(`cannot use ${key}`, { cause: new Error(`at ${rpc}`) }), {
      config: { headers: { authorization: `Basic ${btoa("user:hunter22")}` } },
    });
    log.info(`key ${key}`);
    log.info(`key ${key.slice(2).toUpperCase()}`);
    log.info("key %s and %j", key, { password });
    log.info({ note: password, deep: { list: [key, { anything: rpc }] } });
    log.info({ [key]: "as a field's name" });
    log.error(carrier, `failed with ${password}`);
    log.error({ err: carrier, error: carrier });
    log.child({ who: password }).warn("child");
    log.info({ bytes: Buffer.from(password) });
    log.info(`GET /?password=${encodeURIComponent(password)}`);
    log.info(`encoded ${Buffer.from(password).toString("base64")}`);
    const all = lines.join("");
    assert.equal(lines.length, 11);
    for (const secret of [key.slice(2), "hörse", "battery", "0123456789abcdef0123", btoa("user:hunter22")]) {
      assert.ok(!all.toLowerCase().includes(secret.toLowerCase()), `${secret} in ${all}`);
    }
  });

  it("hide fields that are secret by name, protected or not", () => {
    const { lines, telemetry } = capture();
    telemetry.log.info({
      privateKey: "s3cr3t-1",
      keystore_password: "s3cr3t-2",
      headers: { Authorization: "s3cr3t-3", Cookie: "s3cr3t-4", "x-api-key": "s3cr3t-5" },
      aws: [{ secretAccessKey: "s3cr3t-6", accessKey: "s3cr3t-7" }],
      signature: "s3cr3t-8",
      url: "postgres://user:s3cr3t-9@host/db",
      text: "Authorization: Bearer s3cr3t-10abc",
    });
    assert.ok(!lines.join("").includes("s3cr3t"), lines.join(""));
    assert.match(lines.join(""), /postgres:\/\/\[redacted\]@host\/db/);
  });

  it("attack: words of strangers move no cursor of a terminal, and say the same to whoever parses them", () => {
    const { lines, telemetry, last } = capture();
    telemetry.protect(key);
    const hostile = "a\u009b31mb\u202ec\u200bd\u2028e\u001b[2Jf\u{e0001}g\r\n";
    const log = telemetry.log.child({ peer: hostile });
    log.warn({ reason: hostile, [hostile]: key, err: new Error(hostile) }, hostile);
    const [line] = lines as [string];
    assert.equal(lines.length, 1);
    assert.ok(line.endsWith("}\n"));
    assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u);
    assert.ok(!line.includes(key));
    const said = last() as Record<string, unknown> & { err: { message: string } };
    assert.deepEqual([said.msg, said.reason, said.peer, said.err.message], Array(4).fill(hostile));
    assert.equal(said[hostile], "[redacted]");
  });

  it("keep what is not secret", () => {
    const { telemetry, last } = capture();
    telemetry.protect("ab");
    telemetry.log.info({ keyHash: "0x12", publicKey: "0x34", amount: 2n ** 70n, abc: "abacus" }, "hello");
    const { time, ...line } = last();
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    assert.deepEqual(line, {
      level: "info",
      keyHash: "0x12",
      publicKey: "0x34",
      amount: "1180591620717411303424",
      abc: "abacus",
      msg: "hello",
    });
  });

  it("say what happened, what was kept and what to do next", () => {
    const { telemetry, last } = capture();
    telemetry.log.error({ err: new AssayError("it broke", { kept: "all data", next: "try again" }) });
    const { type, message, kept, next } = last().err as Record<string, string>;
    assert.deepEqual([type, message, kept, next], ["AssayError", "it broke", "all data", "try again"]);
  });

  it("survive circular and very deep values", () => {
    const { telemetry, lines } = capture();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    telemetry.log.info({ circle });
    assert.equal(lines.length, 1);
  });
});

describe("metrics and health", () => {
  async function serve() {
    const { telemetry } = capture();
    const server = await telemetry.serve({ port: 0 });
    servers.push(server);
    return { telemetry, server };
  }

  it("are served on loopback only, for reading only", async () => {
    const { telemetry, server } = await serve();
    new Counter({ name: "answers_total", help: "x", registers: [telemetry.metrics] }).inc(3);
    assert.equal(new URL(server.url).hostname, "127.0.0.1");
    const response = await fetch(`${server.url}/metrics`);
    assert.match(String(response.headers.get("content-type")), /text\/plain/);
    assert.match(await response.text(), /^answers_total 3$/m);
    assert.equal((await fetch(`${server.url}/metrics`, { method: "POST" })).status, 405);
    assert.equal((await fetch(`${server.url}/other`)).status, 404);
    const head = await new Promise<number | undefined>((resolve, reject) => {
      request(`${server.url}/health`, { method: "HEAD" }, ({ statusCode }) => resolve(statusCode))
        .on("error", reject)
        .end();
    });
    assert.equal(head, 200);
  });

  it("are read in a browser by the page that was named, and by no other", async () => {
    const origin = "https://page.example.org";
    const { telemetry, server } = await serve();
    const named = await telemetry.serve({ port: 0, origin });
    servers.push(named);
    const allowed = async (url: string) =>
      (await fetch(`${url}/healthz`, { headers: { origin } })).headers.get("access-control-allow-origin");
    assert.equal(await allowed(named.url), origin);
    assert.equal(await allowed(server.url), null);
  });

  it("tell whether every part is well, and which one is not", async () => {
    const { telemetry, server } = await serve();
    const remove = telemetry.addHealthCheck("chain", () => ({ ok: true, head: 7n }));
    assert.deepEqual(await (await fetch(`${server.url}/health`)).json(), {
      ok: true,
      checks: { chain: { ok: true, head: "7" } },
    });
    telemetry.protect(password);
    telemetry.addHealthCheck("storage", async () => {
      throw new Error(`disk full at ${password}`);
    });
    remove();
    const response = await fetch(`${server.url}/health`);
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), {
      ok: false,
      checks: { storage: { ok: false, error: "disk full at [redacted]" } },
    });
  });

  it("attack: words of strangers move no cursor of a terminal that shows the health report", async () => {
    const { telemetry, server } = await serve();
    const hostile = "a\u009b31mb\u202ec";
    telemetry.addHealthCheck("peer", () => ({ ok: true, name: hostile }));
    const text = await (await fetch(`${server.url}/healthz`)).text();
    assert.doesNotMatch(text.trimEnd(), /[\p{Cc}\p{Cf}]/u);
    assert.equal(JSON.parse(text).checks.peer.name, hostile);
  });

  it("attack: whoever reads nothing of what it asked for loses its connection", async () => {
    const { telemetry } = capture();
    const length = 32 * 2 ** 20;
    new Counter({ name: "long_total", help: "x".repeat(length), registers: [telemetry.metrics] });
    const server = await telemetry.serve({ port: 0, patience: 200 });
    servers.push(server);
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1").pause();
    socket.on("error", () => undefined);
    socket.write("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await delay(2_000);
    let received = 0;
    socket.on("data", (bytes: Buffer) => {
      received += bytes.length;
      if (received > length) socket.destroy();
    });
    socket.resume();
    await once(socket, "close");
    assert.ok(received < length, `${received} bytes came after all`);
    const whole = await (await fetch(`${server.url}/metrics`)).text();
    assert.ok(whole.length > length, "whoever reads on has all of it");
  });

  it("say so when the port is taken", async () => {
    const { telemetry, server } = await serve();
    const port = Number(new URL(server.url).port);
    await assert.rejects(telemetry.serve({ port }), /cannot be served on 127.0.0.1/);
  });
});
