import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { setupCircuits } from "../../../circuits/setup/setup.ts";
import { recoverReceipt } from "../../../keepers/src/chain/receipt.ts";
import { evaluateCells } from "../../../keepers/src/core/audit/answer.ts";
import { auditPoint, bundleIndices } from "../../../keepers/src/core/audit/challenge.ts";
import { packIndices } from "../../../keepers/src/core/groth16/inputs.ts";
import { Verifier } from "../../../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey } from "../../../keepers/src/core/groth16/verifying-key.ts";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import { verifyBinaryProof } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { Possession } from "../../../keepers/src/roles/storage-node/possession.ts";
import { StorageService } from "../../../keepers/src/roles/storage-node/service.ts";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { Vault } from "../../../keepers/src/roles/storage-node/vault.ts";
import { type BlobStore, collect } from "../../../keepers/src/storage/backends/backend.ts";
import {
  BadRangeError,
  BlobNotFoundError,
  StorageFullError,
} from "../../../keepers/src/storage/backends/errors.ts";
import { FileSystemStore } from "../../../keepers/src/storage/backends/file-system.ts";
import { writeTerms } from "../../../keepers/src/storage/client/terms.ts";
import { ProcessProver } from "../../../keepers/src/storage/prover/process-prover.ts";
import type { Prover } from "../../../keepers/src/storage/prover/prover.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { RefusalError } from "../../../keepers/src/storage/transport/errors.ts";
import type {
  Caller,
  CellsRequest,
  CommitRequest,
  GetRequest,
  ManifestRequest,
  OfferRequest,
  OfferResponse,
  PossessionAnswer,
  ProvenCell,
  ProveRequest,
  PutRequest,
  PutResponse,
  StatusRequest,
} from "../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../keepers/src/storage/transport/upload-staging.ts";
import { deployment, offered, owner, type TinyDataset, tinyDataset, withManifest } from "./dataset.ts";
import { contractsOf, word } from "./doubles.ts";

const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const now = 1_700_000_000n;
const day = 24n * 3600n;
let time = now;
const caller = { peer: "somebody", signal: new AbortController().signal };
const noProver: Prover = {
  prove: () => Promise.reject(new Error("no proof is asked for here")),
  close: async () => {},
};

/** The service, asked by one peer. */
type Asked = {
  offer: (request: OfferRequest, bytes: Uint8Array | undefined) => Promise<OfferResponse>;
  put: (request: PutRequest, body: AsyncIterable<Uint8Array>) => Promise<PutResponse>;
  cells: (request: CellsRequest) => Promise<ProvenCell[]>;
  prove: (request: ProveRequest) => Promise<PossessionAnswer>;
  by: (peer: string, until?: AbortSignal) => Asked;
  stats: () => StorageService["stats"];
} & Pick<StorageService, "manifest" | "status" | "commit" | "get" | "forgetAbandoned">;

function asked(service: StorageService, { peer, signal }: Caller): Asked {
  const who = { peer, signal };
  return {
    offer: (request: OfferRequest, bytes: Uint8Array | undefined) => service.offer(request, bytes, who),
    put: (request: PutRequest, body: AsyncIterable<Uint8Array>) => service.put(request, body, 0, who),
    cells: (request: CellsRequest) => service.cells(request, who),
    prove: (request: ProveRequest) => service.prove(request, who),
    manifest: (request: ManifestRequest) => service.manifest(request),
    status: (request: StatusRequest) => service.status(request),
    commit: (request: CommitRequest) => service.commit(request),
    get: (request: GetRequest) => service.get(request),
    forgetAbandoned: () => service.forgetAbandoned(),
    by: (other: string, until: AbortSignal = signal) => asked(service, { peer: other, signal: until }),
    stats: () => service.stats,
  };
}

async function* pieces(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

/** A body whose connection breaks after these bytes. */
async function* broken(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
  throw new Error("the connection broke");
}

const refused = (code: RefusalError["code"], message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RefusalError, String(error));
  assert.equal(error.code, code);
  if (message !== undefined) assert.match(error.message, message);
  return true;
};

describe("the storage service", () => {
  let folder: string;
  let state: State;
  let shelf: Shelf;
  let store: BlobStore;
  let data: TinyDataset;
  let other: TinyDataset;
  let commits: number;
  let active: boolean;
  /** What the chain says of the dataset that is offered: nothing yet. */
  let anchor: Record<string, unknown>;

  before(async () => {
    [data, other] = await Promise.all([tinyDataset(1), tinyDataset(2)]);
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-service-"));
    state = openState({ path: ":memory:", schemas: [shelfSchema] });
    shelf = new Shelf(state);
    store = await FileSystemStore.open(join(folder, "blobs"));
    commits = 0;
    active = true;
    time = now;
    anchor = { status: 0 };
  });

  afterEach(async () => {
    state.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open({
    capacity = 1 << 20,
    prover = noProver,
    unanchoredShare = 1,
    asking = { leastFee: offered.feePerAudit, longestTerm: offered.epochs },
  } = {}): Promise<Asked> {
    const commit = async (bytes: Uint8Array) => {
      commits++;
      return commitBundle(bytes);
    };
    const vault = await Vault.open({ shelf, store, treeFolder: join(folder, "trees"), commit });
    const service = new StorageService({
      account,
      deployment,
      contracts: contractsOf({
        Staking: { operatorOf: () => ({ active }) },
        DatasetRegistry: {
          datasetOf: () => anchor,
          parameters: () => offered.parameters,
          currentEpoch: () => 100,
          epochLength: () => 86_400,
        },
      }),
      shelf,
      vault,
      staging: await UploadStaging.open(join(folder, "incoming")),
      possession: new Possession({
        vault,
        prover,
        operator: account.address,
        chainId: deployment.chainId,
        auditContract: deployment.addresses.StorageAudit,
        bundleRegistry: deployment.addresses.BundleRegistry,
      }),
      capacity,
      asking,
      chainTime: async () => time,
      isAnchored: () => false,
      unanchoredShare,
    });
    return asked(service, caller);
  }

  const offerOf = (dataset: TinyDataset, bundleIndices: number[]) => ({
    datasetId: dataset.datasetId,
    owner,
    manifestCid: dataset.manifestCid,
    terms: writeTerms(offered),
    bundleIndices,
  });
  const offer = (service: Asked, dataset: TinyDataset, ...bundleIndices: number[]) =>
    service.offer(offerOf(dataset, bundleIndices), dataset.manifestBytes);
  const requestOf = (dataset: TinyDataset, bundleIndex: number, offset = 0) => ({
    datasetId: dataset.datasetId,
    bundleIndex,
    offset,
    total: dataset.bundles[bundleIndex]!.length,
  });
  const put = (service: Asked, dataset: TinyDataset, index: number, bytes = dataset.bundles[index]!) =>
    service.put(requestOf(dataset, index), pieces(bytes));
  const rootsOf = (dataset: TinyDataset, index: number) => {
    const { poseidonRoot, transportRoot } = dataset.manifest.bundles[index]!;
    return { poseidonRoot: poseidonRoot as Hex, transportRoot: transportRoot as Hex };
  };

  describe("offer", () => {
    it("accepts bundles of a manifest that belongs to the dataset's id, and gives the manifest to others", async () => {
      const service = await open();
      assert.deepEqual(await offer(service, data, 0, 4), { accepted: [0, 4], refused: [] });
      assert.deepEqual(bytesToHex(await service.manifest(data)), bytesToHex(data.manifestBytes));
      assert.deepEqual(await service.offer(offerOf(data, [0]), undefined), { accepted: [0], refused: [] });
    });

    it("refuses a manifest of another owner, another dataset or another CID", async () => {
      const service = await open();
      const stranger = { ...offerOf(data, [0]), owner: `0x${"0b".repeat(20)}` as const };
      await assert.rejects(
        service.offer(stranger, data.manifestBytes),
        refused("bad-request", /not this dataset's/),
      );
      await assert.rejects(
        service.offer({ ...offerOf(data, [0]), manifestCid: other.manifestCid }, other.manifestBytes),
        refused("bad-request", /not this dataset's/),
      );
      await assert.rejects(
        service.offer({ ...offerOf(data, [0]), manifestCid: other.manifestCid }, data.manifestBytes),
        refused("bad-request", /does not have this CID/),
      );
      await assert.rejects(service.manifest(data), BlobNotFoundError);
    });

    it("refuses terms that the id does not commit to, whichever of them was changed", async () => {
      const service = await open({ asking: { leastFee: 0n, longestTerm: 16_384 } });
      const { parameters } = offered;
      const changed = [
        { ...offered, feePerAudit: offered.feePerAudit + 1n },
        { ...offered, epochs: offered.epochs - 1 },
        { ...offered, previous: word(7) },
        { ...offered, parameters: { ...parameters, missPenalty: parameters.missPenalty - 1n } },
      ];
      for (const terms of changed) {
        const request = { ...offerOf(data, [0]), terms: writeTerms(terms) };
        await assert.rejects(
          service.offer(request, data.manifestBytes),
          refused("bad-request", /not this dataset's/),
        );
      }
      const { terms: _, ...without } = offerOf(data, [0]);
      await assert.rejects(service.offer(without, data.manifestBytes), refused("bad-request", /which terms/));
    });

    it("refuses a fee below its own and a term above its own, and says so", async () => {
      const dear = await open({ asking: { leastFee: offered.feePerAudit + 1n, longestTerm: 30 } });
      const [low] = (await offer(dear, data, 0)).refused;
      assert.deepEqual(
        [low?.reason, low?.detail],
        ["price", "it asks for 0.001000000000000001 tokens an audit, not 0.001"],
      );
      const brief = await open({ asking: { leastFee: 0n, longestTerm: 29 } });
      const [long] = (await offer(brief, data, 0)).refused;
      assert.deepEqual([long?.reason, long?.detail], ["policy", "it serves for 29 epochs at most, not 30"]);
    });

    it("refuses parameters that are not in force any more, and goes by the anchor where there is one", async () => {
      const service = await open();
      const { terms: _, ...without } = offerOf(data, [0]);
      anchor = {
        status: 1,
        manifestHash: keccak256(data.manifestBytes),
        endEpoch: 120,
        feePerAudit: offered.feePerAudit,
      };
      assert.deepEqual((await service.offer(without, data.manifestBytes)).accepted, [0]);
      anchor = { ...anchor, endEpoch: 131 };
      const [long] = (await service.offer({ ...without, bundleIndices: [1] }, data.manifestBytes)).refused;
      assert.match(long?.detail ?? "", /30 epochs at most, not 31/);
      anchor = { ...anchor, endEpoch: 101 };
      const [over] = (await service.offer({ ...without, bundleIndices: [1] }, data.manifestBytes)).refused;
      assert.match(over?.detail ?? "", /over/);
    });

    it("refuses what is no manifest, and asks for one that it does not know", async () => {
      const service = await open();
      await assert.rejects(
        service.offer(offerOf(data, [0]), new TextEncoder().encode("{}")),
        refused("bad-request"),
      );
      await assert.rejects(
        service.offer(offerOf(data, [0]), undefined),
        refused("bad-request", /send the manifest/),
      );
    });

    it("says of each bundle why it is refused", async () => {
      const service = await open({ capacity: data.bundles[0]!.length + 10 });
      const { accepted, refused: no } = await offer(service, data, 0, 1, 3, 6);
      assert.deepEqual(accepted, [0]);
      assert.deepEqual(
        no.map(({ bundleIndex, reason }) => [bundleIndex, reason]),
        [
          [1, "policy"],
          [3, "no-space"],
          [6, "bad-manifest"],
        ],
      );
    });

    it("refuses everything while its operator is not active, but what is here already", async () => {
      const service = await open();
      await offer(service, data, 0);
      await put(service, data, 0);
      active = false;
      const answer = await offer(service, data, 0, 3);
      assert.deepEqual(answer.accepted, [0]);
      assert.equal(answer.refused[0]!.detail, "this operator is not active");
    });

    it("refuses a second bundle of a segment, while the first arrives and once it is here", async () => {
      const service = await open();
      await offer(service, data, 0);
      await assert.rejects(service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 100))));
      assert.deepEqual((await offer(service, data, 1, 3)).accepted, [3]);
      await service.put(requestOf(data, 0, 100), pieces(data.bundles[0]!.subarray(100)));
      assert.deepEqual((await offer(service, data, 1, 3)).accepted, [3]);
    });
  });

  describe("put", () => {
    it("keeps a bundle whose bytes are right, and is told again without harm", async () => {
      const service = await open();
      await offer(service, data, 0);
      const { length } = data.bundles[0]!;
      assert.deepEqual(await put(service, data, 0), { received: length });
      assert.deepEqual(await put(service, data, 0), { received: length });
      assert.deepEqual(await service.status({ datasetId: data.datasetId, bundleIndices: [0, 1] }), {
        bundles: [
          { bundleIndex: 0, state: "held", received: length },
          { bundleIndex: 1, state: "absent", received: 0 },
        ],
      });
      assert.equal(commits, 1);
      assert.deepEqual(await readdir(join(folder, "incoming")), []);
    });

    it("goes on where an upload broke off, also in another process", async () => {
      const service = await open();
      const bytes = data.bundles[3]!;
      await offer(service, data, 3);
      await assert.rejects(
        service.put(requestOf(data, 3), broken(bytes.subarray(0, 700))),
        /connection broke/,
      );
      const restarted = await open();
      const { bundles } = await restarted.status({ datasetId: data.datasetId, bundleIndices: [3] });
      assert.deepEqual(bundles, [{ bundleIndex: 3, state: "partial", received: 700 }]);
      await assert.rejects(
        restarted.put(requestOf(data, 3, 800), pieces(bytes.subarray(800))),
        refused("bad-request", /goes on at byte 700/),
      );
      assert.deepEqual(await restarted.put(requestOf(data, 3, 700), pieces(bytes.subarray(700))), {
        received: bytes.length,
      });
      assert.equal(shelf.all().length, 1);
    });

    it("forgets wrong bytes, so that the right ones can follow", async () => {
      const service = await open();
      await offer(service, data, 0);
      const wrong = data.bundles[0]!.slice().fill(1);
      await assert.rejects(put(service, data, 0, wrong), refused("bad-request", /poseidonRoot/));
      assert.deepEqual(await readdir(join(folder, "incoming")), []);
      assert.deepEqual(shelf.all(), []);
      await put(service, data, 0);
      assert.equal(shelf.all().length, 1);
    });

    it("forgets bytes whose manifest names another CID, and hashes them only once per upload", async () => {
      const bundles = data.manifest.bundles.with(0, {
        ...data.manifest.bundles[0]!,
        cid: data.manifest.bundles[1]!.cid,
      });
      const lying = withManifest({ ...data.manifest, bundles }, data.bundles);
      const service = await open();
      await offer(service, lying, 0);
      await assert.rejects(put(service, lying, 0), refused("bad-request", /CID/));
      await service.put(requestOf(lying, 0), pieces());
      assert.equal(commits, 1);
    });

    it("refuses wrong totals, unknown bundles and datasets that were not offered", async () => {
      const service = await open();
      await assert.rejects(put(service, data, 0), refused("refused", /not offered/));
      await offer(service, data, 0);
      const request = requestOf(data, 0);
      await assert.rejects(
        service.put({ ...request, total: request.total + 1 }, pieces()),
        refused("bad-request", /has \d+ bytes/),
      );
      await assert.rejects(
        service.put({ ...request, bundleIndex: 6 }, pieces()),
        refused("bad-request", /no bundle 6/),
      );
      await assert.rejects(
        service.put(request, pieces(data.bundles[0]!, new Uint8Array(1))),
        refused("bad-request", /more bytes/),
      );
    });

    it("does not let uploads past the capacity that an offer was told", async () => {
      const service = await open({ capacity: data.bundles[0]!.length + 10 });
      assert.deepEqual((await offer(service, data, 0)).accepted, [0]);
      await put(service, data, 0);
      await assert.rejects(put(service, data, 3), refused("full"));
      await assert.rejects(put(service, data, 1), refused("refused", /segment/));
      assert.equal(shelf.bytes, data.bundles[0]!.length);
    });

    it("counts what is arriving, also after a restart, and lets one of two simultaneous uploads in", async () => {
      const capacity = data.bundles[0]!.length + 10;
      const service = await open({ capacity });
      await offer(service, data, 0);
      await offer(service, other, 0);
      const results = await Promise.allSettled([
        service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 5))),
        service.put(requestOf(other, 0), broken(other.bundles[0]!.subarray(0, 5))),
      ]);
      const full = results.filter(
        (result) =>
          result.status === "rejected" &&
          result.reason instanceof RefusalError &&
          result.reason.code === "full",
      );
      assert.equal(full.length, 1);
      const [staged] = await readdir(join(folder, "incoming"));
      const late = staged!.startsWith(data.datasetId) ? other : data;
      const restarted = await open({ capacity });
      assert.equal((await offer(restarted, late, 0)).refused[0]!.reason, "no-space");
      await assert.rejects(put(restarted, late, 0), refused("full"));
    });

    it("gives the space back when nothing arrived", async () => {
      const service = await open({ capacity: data.bundles[0]!.length + 10 });
      await offer(service, data, 0);
      await offer(service, other, 0);
      await assert.rejects(service.put(requestOf(data, 0), broken()));
      await put(service, other, 0);
      assert.equal(shelf.all().length, 1);
    });

    it("keeps the upload when the disk is full, for when there is space again", async () => {
      const real = store;
      store = Object.assign(Object.create(real) as BlobStore, {
        put: async () => {
          throw new StorageFullError("the disk");
        },
      });
      const service = await open();
      await offer(service, data, 0);
      await assert.rejects(put(service, data, 0), StorageFullError);
      store = real;
      const later = await open();
      const { total } = requestOf(data, 0);
      assert.deepEqual(await later.put(requestOf(data, 0, total), pieces()), { received: total });
      assert.equal(shelf.all().length, 1);
    });
  });

  describe("strangers that fill it", () => {
    /** Datasets under as many manifests; their bundles are the same. */
    const variant = (i: number) => withManifest({ ...data.manifest, name: `variant ${i}` }, data.bundles);

    it("attack: manifests without end leave sixteen of each peer and 256 in all, of which the oldest go first", async () => {
      const service = await open();
      for (let i = 0; i < 40; i++) await offer(service.by("flooder"), variant(i), 0);
      assert.equal(shelf.datasets().length, 16);
      assert.equal(shelf.manifest(variant(0).datasetId), undefined);
      assert.ok(shelf.manifest(variant(39).datasetId) !== undefined);
      for (let i = 40; i < 400; i++) await offer(service.by(`peer ${i}`), variant(i), 0);
      assert.equal(shelf.datasets().length, 256);
      // Whoever begins at once is not driven out.
      await offer(service, data, 0);
      await assert.rejects(service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 9))));
      for (let i = 400; i < 700; i++) await offer(service.by(`peer ${i}`), variant(i), 0);
      const { length } = data.bundles[0]!;
      assert.deepEqual(await service.put(requestOf(data, 0, 9), pieces(data.bundles[0]!.subarray(9))), {
        received: length,
      });
    });

    it("attack: an offer that nothing comes of is forgotten after an hour, one with a bundle is not", async () => {
      const service = await open();
      await offer(service, data, 0);
      await offer(service, other, 0);
      await put(service, other, 0);
      time += 3600n;
      await service.forgetAbandoned();
      assert.equal(shelf.datasets().length, 2);
      time += 1n;
      await service.forgetAbandoned();
      assert.deepEqual(shelf.datasets(), [other.datasetId]);
    });

    it("attack: bundles of datasets on no chain leave half of the space to others", async () => {
      const { length } = data.bundles[0]!;
      const service = await open({ capacity: 4 * length, unanchoredShare: 1 / 2 });
      assert.deepEqual((await offer(service, data, 0, 3)).accepted, [0, 3]);
      await put(service, data, 0);
      await put(service, data, 3);
      const { refused: no } = await offer(service, other, 0);
      assert.match(no[0]!.detail, /not anchored/);
    });

    it("attack: one peer has 64 uploads parked, however many datasets it invents", async () => {
      const service = await open();
      const parked = async (peer: string, i: number) => {
        const dataset = variant(i);
        if ((await offer(service.by(peer), dataset, 0)).accepted.length === 0) return false;
        await assert.rejects(
          service.by(peer).put(requestOf(dataset, 0), broken(dataset.bundles[0]!.subarray(0, 5))),
        );
        return true;
      };
      let count = 0;
      for (let i = 0; i < 80; i++) if (await parked("parker", i)) count++;
      assert.equal(count, 64);
      assert.equal((await readdir(join(folder, "incoming"))).length, 64);
      assert.equal(await parked("another", 100), true);
    });

    it("attack: proofs that one peer asks for wait in small number, and end with it", async () => {
      const waiting: AbortSignal[] = [];
      const prover: Prover = {
        prove: (_, __, { signal, lane } = {}) =>
          new Promise((_, reject) => {
            assert.equal(lane, "client");
            waiting.push(signal!);
            signal!.addEventListener("abort", () => reject(signal!.reason));
          }),
        close: async () => {},
      };
      const service = await open({ prover });
      await offer(service, data, 0);
      await put(service, data, 0);
      const gone = new AbortController();
      const request = { datasetId: data.datasetId, bundleIndex: 0, seed: keccak256("0x01") };
      const from = (peer: string) => service.by(peer, gone.signal).prove(request);
      const flood = Array.from({ length: 100 }, () => from("flooder"));
      const others = Array.from({ length: 100 }, (_, i) => from(`peer ${i}`));
      const settled = Promise.allSettled([...flood, ...others]);
      while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(service.stats().waiting.proofs, 14);
      assert.equal(service.stats().refused.proofs, 200 - 16);
      gone.abort(new Error("the peer went away"));
      const outcomes = await settled;
      const said = outcomes.map((outcome) =>
        outcome.status === "rejected" && outcome.reason instanceof RefusalError ? outcome.reason.code : "",
      );
      assert.equal(said.slice(0, 100).filter((code) => code === "busy").length, 92);
      assert.equal(service.stats().waiting.proofs, 0);
      assert.equal(waiting.length, 2, "nothing of it is begun any more");
    });
  });

  describe("commit", () => {
    const commitTo = (service: Asked, change: object = {}) =>
      service.commit({
        datasetId: data.datasetId,
        bundleIndex: 0,
        ...rootsOf(data, 0),
        validUntil: (now + day).toString(),
        latestEnd: 130,
        ...change,
      });

    it("signs for what is here, so that the contract recovers the operator", async () => {
      const service = await open();
      await offer(service, data, 0);
      await put(service, data, 0);
      const { operator, validUntil, signature } = await commitTo(service);
      assert.equal(operator, account.address.toLowerCase());
      const receipt = {
        datasetId: data.datasetId,
        bundleIndex: 0,
        ...rootsOf(data, 0),
        operator: account.address,
        validUntil: BigInt(validUntil),
        latestEnd: 130,
      };
      const domain = { chainId: deployment.chainId, bundleRegistry: deployment.addresses.BundleRegistry };
      assert.equal(await recoverReceipt(receipt, signature, domain), account.address);
      assert.equal(
        shelf.get(data.datasetId, 0)!.keepUntil,
        now + day,
        "kept for as long as the receipt is good",
      );
    });

    it("signs no other roots, no longer promise, and nothing that is not here", async () => {
      const service = await open();
      await offer(service, data, 0, 3);
      await assert.rejects(commitTo(service), BlobNotFoundError);
      await put(service, data, 0);
      const { poseidonRoot, transportRoot } = rootsOf(data, 1);
      await assert.rejects(commitTo(service, { poseidonRoot }), refused("refused", /not the roots/));
      await assert.rejects(commitTo(service, { transportRoot }), refused("refused", /not the roots/));
      await assert.rejects(
        commitTo(service, { validUntil: (now + day + 601n).toString() }),
        refused("refused", /until \d+ at most/),
      );
      await assert.rejects(commitTo(service, { bundleIndex: 3 }), BlobNotFoundError);
    });
  });

  describe("reading", () => {
    it("gives byte ranges, and nothing beyond a bundle's end or of bundles that are not here", async () => {
      const service = await open();
      await offer(service, data, 0);
      await put(service, data, 0);
      const bytes = data.bundles[0]!;
      const request = { datasetId: data.datasetId, bundleIndex: 0, offset: 100, length: 700 };
      assert.equal(bytesToHex(await collect(service.get(request))), bytesToHex(bytes.subarray(100, 800)));
      await assert.rejects(collect(service.get({ ...request, offset: bytes.length - 10 })), BadRangeError);
      await assert.rejects(collect(service.get({ ...request, bundleIndex: 1 })), BlobNotFoundError);
      await assert.rejects(
        collect(service.get({ ...request, datasetId: other.datasetId })),
        BlobNotFoundError,
      );
    });

    it("opens cells under the anchored transport root", async () => {
      const service = await open();
      await offer(service, data, 0);
      await put(service, data, 0);
      const { cells } = shelf.get(data.datasetId, 0)!;
      const request = { datasetId: data.datasetId, bundleIndex: 0 };
      const opened = await service.cells({ ...request, cells: [cells - 1, 0, 2, 2] });
      assert.deepEqual(
        opened.map(({ index }) => index),
        [cells - 1, 0, 2, 2],
      );
      const root = hexToBytes(rootsOf(data, 0).transportRoot);
      for (const { index, cell, siblings } of opened) {
        const leaf = keccak256(new Uint8Array([0, ...cell]), "bytes");
        assert.equal(verifyBinaryProof({ root, leaf, index, leaves: cells, siblings }), true);
        leaf[0]! ^= 1;
        assert.equal(verifyBinaryProof({ root, leaf, index, leaves: cells, siblings }), false);
      }
      await assert.rejects(
        service.cells({ ...request, cells: [0, cells] }),
        refused("bad-request", /no cell/),
      );
      await assert.rejects(service.cells({ ...request, bundleIndex: 1, cells: [0] }), BlobNotFoundError);
    });

    it("proves possession on a client's seed, as the verifying key and the bytes say", async () => {
      const [artifacts] = await setupCircuits({ only: ["possession"] });
      const { wasm, zkey, verifyingKeyBytes } = artifacts!;
      const circuits = { possession: { wasm, zkey }, covering: { wasm, zkey }, registration: { wasm, zkey } };
      const prover = new ProcessProver({ circuits });
      try {
        const service = await open({ prover });
        await offer(service, data, 4);
        await put(service, data, 4);
        const seed = keccak256("0x1234");
        const { proof, evaluation } = await service.prove({
          datasetId: data.datasetId,
          bundleIndex: 4,
          seed,
        });
        const duty = bundleId(data.datasetId, 4);
        const root = BigInt(rootsOf(data, 4).poseidonRoot);
        const operator = account.address;
        const bytes = data.bundles[4]!;
        const indices = bundleIndices({ seed, duty, operator }, Math.ceil(bytes.length / 496));
        const context = { seed, duty, root, operator, chainId: BigInt(deployment.chainId) };
        const auditContract = deployment.addresses.StorageAudit;
        const rho = auditPoint({ ...context, auditContract, epoch: 2n ** 256n - 1n });
        const cells = indices.map((index) => {
          const cell = new Uint8Array(496);
          cell.set(bytes.subarray(index * 496, (index + 1) * 496));
          return cell;
        });
        assert.equal(evaluation, evaluateCells(cells, rho));
        using verifier = await Verifier.create(decodeVerifyingKey(readFileSync(verifyingKeyBytes)));
        const signals = [evaluation, root, packIndices(indices, 14, 16)[0]!, rho];
        assert.equal(verifier.verify(proof, signals), true);
        assert.equal(verifier.verify(proof, signals.with(0, evaluation + 1n)), false);
        await assert.rejects(
          service.prove({ datasetId: data.datasetId, bundleIndex: 1, seed }),
          BlobNotFoundError,
        );
      } finally {
        await prover.close();
      }
    });
  });
});
