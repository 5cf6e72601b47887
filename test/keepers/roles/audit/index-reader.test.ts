import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { IndexAnswerError } from "../../../../keepers/src/roles/audit/errors.ts";
import { IndexReader, type IndexReaderOptions } from "../../../../keepers/src/roles/audit/index-reader.ts";
import { shownUrl } from "../../../../keepers/src/roles/audit/shown-url.ts";
import { inParts } from "../../../../keepers/src/roles/audit/told.ts";

type Respond = (response: ServerResponse, body: { variables: Record<string, unknown> }) => void;

/** Reads from an endpoint that answers as it is told. */
async function reading<T>(
  respond: Respond,
  work: (reader: IndexReader) => Promise<T>,
  options: Partial<IndexReaderOptions> = {},
): Promise<T> {
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    response.setHeader("content-type", "application/json");
    respond(response, JSON.parse(text));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  try {
    return await work(new IndexReader({ url: `http://127.0.0.1:${port}/`, timeout: 5_000, ...options }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const json = (response: ServerResponse, data: unknown) => response.end(JSON.stringify({ data }));
const slash = (id: string) => ({
  id,
  ...{ module: "0x01", beneficiary: "0x02", amount: "3", burnt: "2", reason: "late" },
  ...{ timestamp: "4", transaction: "0x05", operator: { id: "0x06" } },
});

describe("what an audit reads from an index", () => {
  const refused = (respond: Respond, message: RegExp, options?: Partial<IndexReaderOptions>) =>
    assert.rejects(
      reading(respond, (reader) => reader.position(), options),
      (error) => error instanceof IndexAnswerError && message.test(error.message),
    );

  it("is refused when it is no JSON, has another form, or is an error of the endpoint's", async () => {
    await refused((response) => response.end("<html>no</html>"), /no answer/);
    await refused((response) => json(response, { _meta: [] }), /form that was asked for: _meta/);
    await refused((response) => response.writeHead(500).end(), /status 500/);
    await refused((response) => response.end('{"errors":[{"message":"no"}]}'), /refused the query: no/);
    await refused(
      (response) => response.writeHead(302, { location: "http://192.0.2.1/" }).end(),
      /no answer/,
    );
  });

  it("attack: has errors that are no list, or none that says anything", async () => {
    for (const errors of ["[null]", "{}", "[]", "null", '"no"', '[{"message":{"no":1}}]', "[{}]"])
      for (const status of [200, 500])
        await refused(
          (response) => response.writeHead(status).end(`{"errors":${errors}}`),
          /answered with status [25]00|form that was asked for|no answer/,
        );
  });

  it("attack: never comes, stops in the middle, or has no end", async () => {
    await refused(() => {}, /not answer in time/, { timeout: 200 });
    await refused((response) => response.write('{"data":'), /not answer in time/, { timeout: 200 });
    const endless: Respond = (response) => {
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(1 << 16)));
      };
      response.on("drain", more);
      more();
    };
    await refused(endless, /larger than 1048576 bytes/, { mostBytes: 1 << 20 });
  });

  it("is asked for once more when the connection breaks, and never when there is an answer or no time", async () => {
    let asked = 0;
    /** How often it was asked, and how that ended, when the first connections do something else than answer. */
    const asking = async (broken: number, respond: Respond, options?: Partial<IndexReaderOptions>) => {
      asked = 0;
      const answer: Respond = (response, body) => {
        if (asked++ < broken) respond(response, body);
        else json(response, { _meta: { block: { number: 7, hash: null }, hasIndexingErrors: false } });
      };
      const position = reading(answer, (reader) => reader.position(), options);
      const said = await position.then(
        ({ number }) => String(number),
        (error: Error) => error.message,
      );
      return `${said}, ${asked}`;
    };
    const reset: Respond = (response) => response.socket!.resetAndDestroy();
    const halfway: Respond = (response) => response.write("{", () => response.socket!.resetAndDestroy());
    assert.equal(await asking(1, reset), "7, 2");
    assert.equal(await asking(1, halfway), "7, 2");
    assert.match(await asking(9, reset), /^it gave no answer: .*, 2$/);
    assert.match(await asking(9, (response) => response.end("no")), /, 1$/);
    assert.match(await asking(9, (response) => response.writeHead(500).end()), /status 500, 1$/);
    assert.equal(await asking(9, () => {}, { timeout: 200 }), "it did not answer in time, 1");
  });

  it("comes page by page, and references as the ids that they are", async () => {
    const all = Array.from({ length: 1_500 }, (_, i) => slash(`0x${String(i).padStart(6, "0")}`));
    const pages: Respond = (response, { variables }) => {
      const { and } = variables.where as { and?: [unknown, { id_gt: string }] };
      const after = and?.[1].id_gt ?? "";
      json(response, { rows: all.filter(({ id }) => id > after).slice(0, 1_000) });
    };
    const rows = await reading(pages, (reader) =>
      reader.rows("slashes", { operator: "0x06" }, { block: 7n, most: 1_500 }),
    );
    assert.equal(rows.length, 1_500);
    assert.equal(rows[0]!.operator, "0x06");
  });

  it("attack: has two rows with one id, and both come: one of them is invented", async () => {
    const both = [{ ...slash("0x01"), amount: "300" }, slash("0x01"), slash("0x01")];
    const rows = await reading(
      (response) => json(response, { rows: both }),
      (reader) => reader.rows("slashes", {}, { block: 7n, most: 5 }),
    );
    assert.deepEqual(
      rows.map(({ amount }) => amount),
      ["300", "3"],
    );
  });

  it("attack: gives pages for ever, the same again and again, or fields that are too long", async () => {
    let next = 0;
    const pageOf = (id: () => string) => Array.from({ length: 1_000 }, () => slash(id()));
    const rows = (respond: Respond) =>
      reading(respond, (reader) => reader.rows("slashes", {}, { block: 7n, most: 5_000 }));
    await assert.rejects(
      rows((response) => json(response, { rows: pageOf(() => `0x${next++}`) })),
      /more than 5000 rows/,
    );
    await assert.rejects(
      rows((response) => json(response, { rows: pageOf(() => "0x01") })),
      /the same rows/,
    );
    let page = 0;
    await assert.rejects(
      rows((response) => {
        assert.ok(page < 10, "asked for ever");
        const id = `0x0${1 + (page++ % 2)}`;
        json(response, { rows: pageOf(() => id) });
      }),
      /the same rows/,
      "two pages in turn",
    );
    page = 0;
    await assert.rejects(
      rows((response) => {
        assert.ok(page < 10, "asked for ever");
        const fresh = `0x${page++}`;
        json(response, { rows: [...pageOf(() => "0x01").slice(1), slash(fresh)] });
      }),
      /pages without end/,
      "one new row in each page",
    );
    const long = { ...slash("0x01"), reason: "x".repeat((1 << 20) + 1) };
    await assert.rejects(
      rows((response) => json(response, { rows: [long] })),
      /form that was asked for/,
    );
  });
});

describe("an index's address in reports", () => {
  it("is without its path, its query and what stands before the host: gateways have keys there", async () => {
    assert.equal(shownUrl("http://127.0.0.1:8000/"), "http://127.0.0.1:8000/");
    assert.equal(shownUrl("http://127.0.0.1:8000"), "http://127.0.0.1:8000/");
    assert.equal(shownUrl("https://gateway.example/api/s3cret/id/1"), "https://gateway.example/…");
    assert.equal(shownUrl("https://gateway.example/?key=s3cret"), "https://gateway.example/…");
    assert.equal(shownUrl("https://user:s3cret@gateway.example/"), "https://gateway.example/…");
    const url = "https://user:s3cret@gateway.example/s3cret";
    await assert.rejects(new IndexReader({ url }).position(), (error) => {
      assert.ok(error instanceof IndexAnswerError);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });

  it("lists are asked for in parts that an endpoint takes", () => {
    const list = Array.from({ length: 2_500 }, (_, i) => i);
    const parts = inParts(list, (part) => ({ id_in: part }));
    assert.deepEqual(
      parts.map(({ id_in }) => (id_in as number[]).length),
      [1_000, 1_000, 500],
    );
    assert.deepEqual(
      parts.flatMap(({ id_in }) => id_in as number[]),
      list,
    );
    assert.deepEqual(
      inParts([], (part) => ({ id_in: part })),
      [{ id_in: [] }],
    );
  });
});
