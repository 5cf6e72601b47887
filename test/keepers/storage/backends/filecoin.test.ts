import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { JSONRPC, PING, PRIVATE_KEYS, pdp, presets } from "@filoz/synapse-core/mocks";
import * as Piece from "@filoz/synapse-core/piece";
import { calibration, Synapse } from "@filoz/synapse-sdk";
import { CarReader } from "@ipld/car";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { http as transport } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import {
  blobCid,
  chunkBytes,
  layoutBlob,
  maxBlobBytes,
} from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { encodeCar } from "../../../../keepers/src/storage/backends/car.ts";
import {
  BackendUnavailableError,
  BlobNotFoundError,
  WrongBytesError,
} from "../../../../keepers/src/storage/backends/errors.ts";
import { FilecoinStore, pieceOf } from "../../../../keepers/src/storage/backends/filecoin.ts";
import { generator } from "../random.ts";
import { assertSame, conformance } from "./conformance.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-filecoin-"));
const baseUrl = "https://pdp.example.com";
const transaction = `0x${"7a".repeat(32)}` as const;

/** What the mocked provider keeps; the handlers of synapse-core themselves drop the bytes they are sent. */
const pieces = new Map<string, Uint8Array>();
let ranges = true;
const commits: { keys: readonly (readonly string[])[]; values: readonly (readonly string[])[] }[] = [];
const uploads = new Map<string, Uint8Array>();
let uploadFails = 0;

const provider = [
  PING({ baseUrl }),
  JSONRPC(presets.basic),
  http.put(`${baseUrl}/pdp/piece/uploads/:id`, async ({ request, params }) => {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (uploadFails > 0) {
      uploadFails--;
      return HttpResponse.error();
    }
    uploads.set(String(params.id), bytes);
    return new HttpResponse(null, { status: 204 });
  }),
  http.post(`${baseUrl}/pdp/piece/uploads/:id`, async ({ request, params }) => {
    const { pieceCid } = (await request.json()) as { pieceCid: string };
    const bytes = uploads.get(String(params.id))!;
    // A provider computes the commitment itself and refuses a piece that has another.
    if (Piece.calculate(bytes).toString() !== pieceCid)
      return HttpResponse.text("wrong commitment", { status: 400 });
    pieces.set(pieceCid, bytes);
    return HttpResponse.json({ pieceCid });
  }),
  http.get(`${baseUrl}/pdp/piece`, ({ request }) => {
    const pieceCid = new URL(request.url).searchParams.get("pieceCid")!;
    return pieces.has(pieceCid) ? HttpResponse.json({ pieceCid }) : HttpResponse.text(null, { status: 404 });
  }),
  ...pdp.streamingUploadHandlers({ baseUrl }),
  pdp.addPiecesWithMetadataCapture(1n, transaction, (metadata) => commits.push(metadata), { baseUrl }),
  pdp.pieceAdditionStatusHandler(
    1,
    transaction,
    {
      txHash: transaction,
      txStatus: "confirmed",
      dataSetId: 1,
      pieceCount: 1,
      addMessageOk: true,
      piecesAdded: true,
      confirmedPieceIds: [0],
    },
    { baseUrl },
  ),
  http.delete(`${baseUrl}/pdp/data-sets/1/pieces/:id`, () => HttpResponse.json({ txHash: transaction })),
  http.get(`${baseUrl}/piece/:cid`, ({ params, request }) => {
    const bytes = pieces.get(String(params.cid));
    if (bytes === undefined) return new HttpResponse(null, { status: 404 });
    const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.get("range") ?? "") ?? [];
    if (!ranges || first === undefined) return HttpResponse.arrayBuffer(bytes.slice().buffer);
    if (Number(first) >= bytes.length) return new HttpResponse(null, { status: 416 });
    return HttpResponse.arrayBuffer(bytes.slice(Number(first), Number(last) + 1).buffer, { status: 206 });
  }),
];
const server = setupServer(...provider);

async function openStore(name: string): Promise<FilecoinStore> {
  const synapse = Synapse.create({
    chain: calibration,
    transport: transport(),
    account: privateKeyToAccount(PRIVATE_KEYS.key1),
    source: null,
  });
  return FilecoinStore.open({ directory: join(directory, name), synapse, dataSetId: 1n });
}

before(() => server.listen({ onUnhandledRequest: "error" }));
after(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const recordOf = async (
  name: string,
  cid: { toString(): string },
): Promise<{ state: string; pieceCid: string; pieceId?: string }> =>
  JSON.parse(await readFile(join(directory, name, "pieces", `${cid}.json`), "utf8"));

conformance("Filecoin", {
  skip: false,
  async open() {
    return {
      store: await openStore("conformance"),
      async corrupt(cid) {
        const { pieceCid } = await recordOf("conformance", cid);
        const bytes = pieces.get(pieceCid)!;
        bytes[bytes.length - 1]! ^= 1;
      },
      stop: async () => {},
    };
  },
});

describe("Filecoin store", () => {
  beforeEach(() => {
    commits.length = 0;
    ranges = true;
  });

  test("a blob's piece is a CAR that any reader opens, with the commitment synapse-core computes", async () => {
    for (const size of [0, 1, chunkBytes, 2 * chunkBytes + 3, maxBlobBytes]) {
      const bytes = generator(size + 1).bytes(size);
      const layout = layoutBlob(bytes);
      const car = encodeCar(bytes, layout);
      assert.ok(car.length >= 127);
      assert.equal(pieceOf(car), Piece.calculate(car).toString());
      const reader = await CarReader.fromBytes(car);
      assert.deepEqual((await reader.getRoots()).map(String), [layout.cid.toString()]);
      for (const { cid, offset, length } of layout.chunks) {
        assertSame((await reader.get(cid))!.bytes, bytes.subarray(offset, offset + length));
      }
      if (layout.root !== undefined) assertSame((await reader.get(layout.cid))!.bytes, layout.root);
    }
  });

  test("the piece names the blob for IPFS indexing, and a blob that is held is not paid for again", async () => {
    const store = await openStore("paid");
    const bytes = generator(41).bytes(5000);
    const { cid } = await store.put(bytes);
    await store.put(bytes);
    assert.equal(commits.length, 1);
    assert.deepEqual(commits[0], { keys: [["ipfsRootCID"]], values: [[cid.toString()]] });
  });

  test("a process killed while it paid asks the chain before it pays again", async () => {
    const store = await openStore("killed");
    const bytes = generator(42).bytes(6000);
    const { cid } = await store.put(bytes);
    const path = join(directory, "killed", "pieces", `${cid}.json`);
    await writeFile(path, (await readFile(path, "utf8")).replace("held", "pending"));
    const again = await openStore("killed");
    assert.equal(await again.has(cid), false);
    await again.put(bytes);
    assert.ok(await again.has(cid));
    assert.equal(commits.length, 1);
    assert.deepEqual(await readdir(join(directory, "killed", "pieces")), [`${cid}.json`]);
  });

  test("an upload whose connection is cut can be made again, and one that arrived is not sent twice", async () => {
    const store = await openStore("cut");
    const bytes = generator(43).bytes(chunkBytes + 7);
    uploadFails = 1;
    await assert.rejects(store.put(bytes), BackendUnavailableError);
    assert.equal(await store.has(blobCid(bytes)), false);
    assert.equal(commits.length, 0);
    await store.put(bytes);
    const sent = uploads.size;
    const elsewhere = await openStore("elsewhere");
    await elsewhere.put(bytes);
    assert.equal(uploads.size, sent);
  });

  test("a range costs the chunks it touches, and works without the provider's help", async () => {
    const store = await openStore("ranges");
    const bytes = generator(44).bytes(9 * chunkBytes + 5);
    const { cid } = await store.put(bytes);
    const offset = 4 * chunkBytes - 10;
    assertSame(await collect(store.get(cid, { offset, length: 20 })), bytes.subarray(offset, offset + 20));
    ranges = false;
    assertSame(await collect(store.get(cid, { offset, length: 20 })), bytes.subarray(offset, offset + 20));
    assertSame(await collect(store.get(cid)), bytes);
  });

  test("a provider that lost or swapped a piece is told apart", async () => {
    const store = await openStore("lost");
    const { cid } = await store.put(generator(45).bytes(900));
    const { pieceCid } = await recordOf("lost", cid);
    pieces.set(pieceCid, new Uint8Array(500).fill(7));
    await assert.rejects(collect(store.get(cid)), WrongBytesError);
    pieces.set(pieceCid, new Uint8Array(20_000_000));
    await assert.rejects(collect(store.get(cid)), WrongBytesError);
    pieces.delete(pieceCid);
    await assert.rejects(collect(store.get(cid)), BlobNotFoundError);
  });

  describe("whose pieces are removed", () => {
    const chain = { ids: [] as bigint[], leaving: [] as bigint[], added: 0n };
    let addFails = false;
    let removalFails: "unheard" | "unanswered" | undefined;

    beforeEach(() => {
      [chain.ids, chain.leaving, chain.added] = [[], [], 0n];
      [addFails, removalFails] = [false, undefined];
      const pdpVerifier = {
        ...presets.basic.pdpVerifier,
        findPieceIdsByCid: ([, , from, limit]: readonly [bigint, unknown, bigint, bigint]): [bigint[]] => [
          chain.ids.filter((id) => id >= from).slice(0, Number(limit)),
        ],
        getScheduledRemovals: (): [bigint[]] => [chain.leaving],
      };
      server.use(
        JSONRPC({ ...presets.basic, pdpVerifier }),
        http.post(`${baseUrl}/pdp/data-sets/1/pieces`, () => {
          if (addFails) return HttpResponse.text("too busy", { status: 500 });
          chain.ids.push(chain.added++);
          const headers = { Location: `/pdp/data-sets/1/pieces/added/${transaction}` };
          return new HttpResponse(null, { status: 201, headers });
        }),
        http.get(`${baseUrl}/pdp/data-sets/1/pieces/added/:hash`, () =>
          HttpResponse.json({
            ...{ txHash: transaction, txStatus: "confirmed", dataSetId: 1, pieceCount: 1 },
            ...{ addMessageOk: true, piecesAdded: true, confirmedPieceIds: [Number(chain.added - 1n)] },
          }),
        ),
        http.delete(`${baseUrl}/pdp/data-sets/1/pieces/:id`, ({ params }) => {
          const id = BigInt(String(params.id));
          if (removalFails === "unheard") return HttpResponse.text("too busy", { status: 500 });
          if (chain.leaving.includes(id) || !chain.ids.includes(id)) {
            return HttpResponse.text("no such piece", { status: 400 });
          }
          chain.leaving.push(id);
          if (removalFails === "unanswered") return HttpResponse.error();
          return HttpResponse.json({ txHash: transaction });
        }),
      );
    });
    afterEach(() => server.resetHandlers());

    /** The proving period ends. @returns the pieces that are there from then on */
    function endPeriod(): bigint[] {
      chain.ids = chain.ids.filter((id) => !chain.leaving.includes(id));
      chain.leaving = [];
      return chain.ids;
    }

    for (const fails of ["unheard", "unanswered"] as const) {
      for (const isLate of [false, true]) {
        const when = isLate ? "after the piece is gone" : "at once";
        test(`a removal whose request stays ${fails} is none of what is stored again ${when}`, async () => {
          const store = await openStore(`lost-${fails}-${isLate}`);
          const bytes = generator(50).bytes(700);
          const { cid } = await store.put(bytes);
          removalFails = fails;
          await assert.rejects(store.delete(cid), BackendUnavailableError);
          removalFails = undefined;
          assert.equal(await store.has(cid), false);
          if (isLate) endPeriod();
          await store.put(bytes);
          assert.ok(await store.has(cid));
          assert.deepEqual(endPeriod(), [1n]);
        });
      }

      test(`a removal whose request stays ${fails} is done again when it is asked for again`, async () => {
        const store = await openStore(`again-${fails}`);
        const { cid } = await store.put(generator(51).bytes(700));
        removalFails = fails;
        await assert.rejects(store.delete(cid), BackendUnavailableError);
        removalFails = undefined;
        assert.equal(await store.delete(cid), true);
        assert.equal(await store.delete(cid), false);
        assert.deepEqual(endPeriod(), []);
      });
    }

    for (const isSaid of [true, false]) {
      const whether = isSaid ? "that is to be removed" : "whose removal the chain does not show yet";
      test(`a piece ${whether} is not taken for the one that was not paid for`, async () => {
        const store = await openStore(`unpaid-${isSaid}`);
        const bytes = generator(52).bytes(700);
        const { cid } = await store.put(bytes);
        await store.delete(cid);
        const leaving = chain.leaving;
        if (!isSaid) chain.leaving = [];
        addFails = true;
        await assert.rejects(store.put(bytes), BackendUnavailableError);
        addFails = false;
        await store.put(bytes);
        chain.leaving = leaving;
        assert.deepEqual(endPeriod(), [1n]);
        assert.ok(await store.has(cid));
      });
    }

    test("the second removal of the same bytes is that of the second piece", async () => {
      const store = await openStore("twice");
      const bytes = generator(53).bytes(700);
      for (let times = 0; times < 2; times++) {
        const { cid } = await store.put(bytes);
        assert.equal(await store.delete(cid), true);
      }
      assert.deepEqual(endPeriod(), []);
    });

    test("a record of an older version, without the piece's id, is removed as well", async () => {
      const store = await openStore("older");
      const { cid } = await store.put(generator(54).bytes(700));
      const { pieceId: _, ...record } = await recordOf("older", cid);
      await writeFile(join(directory, "older", "pieces", `${cid}.json`), JSON.stringify(record));
      assert.equal(await store.delete(cid), true);
      assert.deepEqual(endPeriod(), []);
    });
  });

  test("what has to be deposited is said before anything is paid", async () => {
    const store = await openStore("prepare");
    const answer = await store.prepare(8_000_000);
    assert.ok(answer === "ready" || answer.deposit >= 0n);
  });
});
