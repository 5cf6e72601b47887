import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import {
  type Abi,
  bytesToHex,
  type Hex,
  HttpRequestError,
  TransactionNotFoundError,
  TransactionReceiptNotFoundError,
} from "viem";
import { ActionRunner } from "../../dapp/src/act/runner.ts";
import { eventsBehind } from "../../dapp/src/data/events-behind.ts";
import { timesUsual } from "../../dapp/src/data/multiplier.ts";
import { peerIdText, readPeerId } from "../../dapp/src/data/peer-id.ts";
import { slashReason } from "../../dapp/src/data/words.ts";
import { certificateFile } from "../../dapp/src/pages/certificate-file.ts";
import { healthOf, holdingOf } from "../../dapp/src/pages/parts/dataset-health.ts";
import { pageOf, rowsAsked, rowsAtOnce } from "../../dapp/src/pages/parts/page-of-list.ts";
import { searchedFor } from "../../dapp/src/pages/searched.ts";
import { readTransaction } from "../../dapp/src/pages/transaction-state.ts";
import { momentOf } from "../../dapp/src/ui/moment.ts";
import { abis } from "../../keepers/src/chain/abi/index.ts";

describe("a moment", () => {
  it("is none when no calendar reaches it: an order may be good for ever", () => {
    assert.equal(momentOf(2n ** 64n - 1n), undefined);
    assert.equal(momentOf("18446744073709551615"), undefined);
    assert.equal(momentOf("no time"), undefined);
    assert.equal(momentOf("1700000000")?.toISOString(), "2023-11-14T22:13:20.000Z");
  });
});

describe("what somebody looks for", () => {
  it("is read once out of the address, and as it stands where it is no escape", () => {
    for (const text of ["50%", "a/b", "%41", "job #1", "ü?"])
      assert.equal(searchedFor(`/search/${encodeURIComponent(text)}`), text);
    assert.equal(searchedFor("/search/50%"), "50%");
  });
});

describe("how well a dataset is held", () => {
  const held = (indices: readonly number[], also: object = {}) => ({
    ...{ k: 2, n: 3, objectCount: "100", segmentObjects: "50", isClosed: false, isFraudulent: false },
    bundles: [0, 1, 2, 3, 4, 5].map((index) => ({
      index,
      operator: indices.includes(index) ? { id: "0x01" } : null,
    })),
    ...also,
  });

  it("is as well as the segment that is held worst", () => {
    assert.deepEqual(holdingOf(held([0, 1, 2, 3])), { segments: 2, total: 6, held: 4, fewest: 1 });
    assert.equal(healthOf(held([0, 1, 2, 3, 4, 5])).word, "Whole");
    assert.equal(healthOf(held([0, 1, 2, 3, 4])).word, "Being repaired");
    const { word, why } = healthOf(held([0, 1, 2, 3]));
    assert.equal(word, "Lost", "four of six are held, and a half of the data is gone");
    assert.match(why, /4 of 6 bundles are held, in 2 segments; of the one that is held worst 1 of 3/);
  });

  it("is told in one segment as in many", () => {
    const one = held([0, 1], { objectCount: "50" });
    const { word, why } = healthOf({ ...one, bundles: one.bundles.slice(0, 3) });
    assert.deepEqual(
      [word, why],
      ["Being repaired", "2 of 3 bundles are held; any 2 of them give the data back."],
    );
  });

  it("is not lost before it was placed", () => {
    const { bundles } = held([0, 1, 2]);
    assert.equal(healthOf(held([], { bundles: bundles.slice(0, 3) })).word, "Being placed");
    assert.equal(healthOf(held([], { bundles })).word, "Lost");
  });

  it("is told of the segments that are listed whole, where there are more bundles than a query lists", () => {
    const bundles = Array.from({ length: 1_000 }, (_, index) => ({ index, operator: { id: "0x01" } }));
    assert.deepEqual(holdingOf(held([], { objectCount: "50000", bundles })), {
      segments: 333,
      total: 999,
      held: 999,
      fewest: 3,
    });
  });
});

describe("a page of a list", () => {
  it("knows whether another one follows without having asked for it", () => {
    assert.equal(rowsAsked, rowsAtOnce + 1);
    assert.deepEqual(pageOf(0, rowsAtOnce), { first: 1, last: 100, hasNext: false });
    assert.deepEqual(pageOf(1, rowsAsked), { first: 101, last: 200, hasNext: true });
    assert.deepEqual(pageOf(2, 5), { first: 201, last: 205, hasNext: false });
    assert.equal(pageOf(49, rowsAsked).hasNext, true);
    assert.equal(pageOf(50, rowsAsked).hasNext, false, "a subgraph passes over no more");
  });
});

describe("why stake was lost", () => {
  it("is told in words for every reason that contracts give, and as it stands for others", () => {
    const contracts = resolve(import.meta.dirname, "../../contracts");
    const takers = ["jobs/JobEnds", "attestation/CommitteeFaults", "storage/StorageAudit"];
    takers.push("storage/RetrievalChallenges", "storage/BundleRegistry", "beacon/CommitRevealBeacon");
    const reasons = takers.flatMap((name) =>
      [
        ...readFileSync(join(contracts, `${name}.sol`), "utf8").matchAll(
          /bytes32 (?:private|public) constant \w+ = "([a-z ]+)"/g,
        ),
      ].map(([, reason]) => reason!),
    );
    // A void job and a result that nobody could take over are nobody's fault; what is served is left for nothing.
    const costless = ["void", "stranded", "served"];
    const costly = reasons.filter((reason) => !costless.includes(reason));
    assert.equal(reasons.length, costly.length + costless.length, "each of the others is still given");
    assert.ok(costly.length > 0);
    for (const reason of costly) assert.match(slashReason(reason), /^[A-Z][a-z]/, reason);
    assert.equal(slashReason("something new"), "something new");
  });
});

describe("what is asked of an operator's stake", () => {
  it("is told from hundredths", () => {
    assert.equal(timesUsual(100n), "the usual");
    assert.equal(timesUsual(150n), "1.5 times the usual");
    assert.equal(timesUsual(1_000n), "10 times the usual");
  });
});

describe("a peer id", () => {
  it("is shown as keepers print it, and as it stands where it is none", async () => {
    for (const kind of ["Ed25519", "secp256k1"] as const) {
      const peer = peerIdFromPrivateKey(await generateKeyPair(kind));
      assert.equal(peerIdText(bytesToHex(peer.toMultihash().bytes)), peer.toString());
    }
    assert.equal(peerIdText("0x0102"), "0x0102");
    assert.equal(peerIdText("0x"), "0x");
  });

  it("is taken as keepers print it and as it stands on the chain", async () => {
    for (const kind of ["Ed25519", "secp256k1"] as const) {
      const peer = peerIdFromPrivateKey(await generateKeyPair(kind));
      const bytes = bytesToHex(peer.toMultihash().bytes);
      assert.deepEqual(readPeerId(` ${peer.toString()} `), { bytes });
      assert.deepEqual(readPeerId(bytes), { bytes });
    }
    const hashed = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
    const { bytes } = readPeerId(hashed) as { bytes: Hex };
    assert.equal(peerIdText(bytes), hashed);
  });

  it("is said what is wrong with", async () => {
    const peer = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
    const text = peer.toString();
    const problemOf = (typed: string) => (readPeerId(typed) as { problem?: string }).problem ?? "none";
    assert.match(problemOf(`/ip4/127.0.0.1/tcp/4001/p2p/${text}`), /address: .* behind \/p2p\//);
    for (const typed of [
      "",
      text.slice(0, -1),
      `${text.slice(0, -1)}0`,
      "12D3KooW…",
      "0x",
      "0x0102",
      "0x012",
    ])
      assert.match(problemOf(typed), /missing or mistyped/, typed);
    const [code, ...rest] = peer.toMultihash().bytes;
    assert.match(problemOf(bytesToHex(Uint8Array.of(code!, 1, 7))), /names no key/);
    assert.match(problemOf(bytesToHex(Uint8Array.of(0x13, ...rest))), /names no key/);
  });
});

describe("a transaction that somebody looks at", () => {
  const hash: Hex = `0x${"ab".repeat(32)}`;
  const transaction = { hash };
  const receipt = { status: "success" };
  const client = (sent: unknown, done: unknown) => {
    const give = (what: unknown) => async () => {
      if (what instanceof Error) throw what;
      return what;
    };
    return { getTransaction: give(sent), getTransactionReceipt: give(done) } as never;
  };
  const unknown = new TransactionNotFoundError({ hash });
  const early = new TransactionReceiptNotFoundError({ hash });
  const broken = new HttpRequestError({ url: "http://rpc" });

  it("is not known, waits for its block, or is there", async () => {
    assert.deepEqual(await readTransaction(client(unknown, early), hash), { kind: "unknown" });
    assert.deepEqual(await readTransaction(client(transaction, early), hash), { kind: "waiting" });
    assert.deepEqual(await readTransaction(client(transaction, receipt), hash), {
      kind: "there",
      transaction,
      receipt,
    });
  });

  it("is not called unknown when the endpoint cannot be asked", async () => {
    await assert.rejects(readTransaction(client(broken, early), hash), HttpRequestError);
    await assert.rejects(readTransaction(client(transaction, broken), hash), HttpRequestError);
  });
});

describe("an action whose transaction is followed", () => {
  it("goes out of sight, and can be come back to, whatever became of it", () => {
    const runner = new ActionRunner();
    runner.hide();
    assert.equal(runner.current(), undefined);
    runner.begin({ title: "Stake", account: `0x${"01".repeat(20)}`, steps: [], done: () => {} });
    runner.hide();
    assert.equal(runner.current()?.isShown, false);
    runner.show();
    assert.equal(runner.current()?.isShown, true);
  });
});

describe("a certificate as a file", () => {
  it("says what the certificate says, and where to look it up", () => {
    const root: Hex = `0x${"cd".repeat(32)}`;
    const address: Hex = `0x${"12".repeat(20)}`;
    const certificate = {
      ...{ id: "1", owner: "0x01", isAttested: true, finalisedAt: "1700000000" },
      ...{ programRoot: root, programDigest: root, trainingHash: root, traceRoot: root, stateRoot: root },
      leavesDigest: root,
      job: { id: "5", status: "Finalised" as const, events: [{ transaction: "0x77" }] },
      provider: { id: "0x02" },
      dataset: { id: "0x03" },
      result: { id: "0x04" },
    };
    const addresses = { ModelCertificate: address, JobRegistry: address, DatasetRegistry: address };
    const read = (given: typeof certificate) =>
      JSON.parse(
        new TextDecoder().decode(certificateFile(given, { chainId: 31_337, addresses } as never)),
      ) as Record<string, unknown>;
    const file = read(certificate);
    assert.deepEqual(
      [file.certificate, file.job, file.dataset, file.result, file.issuedIn, file.chainId, file.stateRoot],
      ["1", "5", "0x03", "0x04", "0x77", 31_337, root],
    );
    assert.deepEqual(file.contracts, addresses);
    assert.equal(read({ ...certificate, job: { ...certificate.job, events: [] } }).issuedIn, null);
  });
});

describe("figures that are read from the chain", () => {
  const source = resolve(import.meta.dirname, "../../dapp/src");
  const linked = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".tsx"))
    .flatMap((name) => [
      ...readFileSync(join(source, name), "utf8").matchAll(/<QueryLink document=\{(\w+)Document\}/g),
    ])
    .map(([, query]) => query!);

  it("name the events behind every query that the page links to", () => {
    assert.ok(linked.length > 15);
    for (const query of linked) assert.ok((eventsBehind[query] ?? []).length > 0, query);
  });

  it("name contracts and events that there are", () => {
    for (const each of Object.values(eventsBehind).flat()) {
      const [contract, name] = each.split(".") as [keyof typeof abis, string | undefined];
      const events = (abis[contract] as Abi).filter(({ type }) => type === "event");
      assert.ok(
        events.some((event) => name === undefined || ("name" in event && event.name === name)),
        each,
      );
    }
  });
});
