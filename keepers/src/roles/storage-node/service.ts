import { type Hex, hexToBytes, type LocalAccount } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { signReceipt } from "../../chain/receipt.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { BlobNotFoundError } from "../../storage/backends/errors.ts";
import { datasetStatus } from "../../storage/client/anchor.ts";
import { areSameParameters, latestEndFor, offeredId, readTerms } from "../../storage/client/terms.ts";
import { ProverBusyError } from "../../storage/prover/prover.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import { Gate } from "../../storage/transport/gate.ts";
import { Pace } from "../../storage/transport/pace.ts";
import type {
  Caller,
  CellsRequest,
  CommitRequest,
  CommitResponse,
  GetRequest,
  ManifestRequest,
  OfferRequest,
  OfferResponse,
  PossessionAnswer,
  ProvenCell,
  ProveRequest,
  PutRequest,
  PutResponse,
  ShardService,
  StatusRequest,
  StatusResponse,
} from "../../storage/transport/shard-service.ts";
import { senderOf, type UploadStaging } from "../../storage/transport/upload-staging.ts";
import { type Arrival, Arrivals } from "./arrivals.ts";
import { type Asking, type Refusal, termsRefusal } from "./asking.ts";
import { KeptOffers } from "./kept-offers.ts";
import { KeptReads, kept, type ReceiptClock } from "./kept-reads.ts";
import type { Ledger } from "./ledger.ts";
import { Manifests, type ReadManifest } from "./manifests.ts";
import type { Possession } from "./possession.ts";
import type { Sender, Shelf, ShelvedBundle } from "./shelf.ts";
import { Space } from "./space.ts";
import { type Vault, WrongRootsError } from "./vault.ts";

export type ServiceParts = {
  account: LocalAccount;
  deployment: Deployment;
  /** What strangers cause to be read, in their own lane: a duty never waits for it. */
  contracts: Pick<Contracts, "DatasetRegistry" | "Staking">;
  shelf: Shelf;
  vault: Vault;
  staging: UploadStaging;
  possession: Possession;
  /** Bytes of bundles this node is willing to keep. */
  capacity: number;
  asking: Asking;
  /** Timestamp of the latest block, seconds. */
  chainTime: () => Promise<bigint>;
  /** What receipts are signed by: undefined while it is not certain. */
  receiptClock: () => Promise<ReceiptClock | undefined>;
  /** Milliseconds for which what was read of the chain is taken as it is; none by default. */
  keptFor?: number;
  /** Who holds which bundle, as far as the chain was followed. */
  ledger: Pick<Ledger, "dataset" | "holderOf" | "holdersIn" | "holdersOf" | "holdingsOf" | "version">;
  /** Whose requests come before those of strangers; nobody is a stranger by default. */
  isRegistered?: (peer: string) => boolean;
  /** Part of the capacity that may be taken by bundles that this operator does not hold on chain; a half by default. */
  unplacedShare?: number;
};

/** A receipt is good for this long at most, in seconds: the registry accepts no longer ones. */
const receiptLifetime = 24n * 3600n;
/** Chain seconds in which receipts are given for a bundle that nobody places: its bytes stay until the last one lapses. */
const promisedFor = 3n * 24n * 3600n;
/** The asking client may have seen a later block than this node. */
const clockSlack = 600n;

/** Real milliseconds after which an upload that nobody goes on with gives its space back. */
const uploadPatience = 3600_000;

/** Real milliseconds after which an upload that stands still makes room for another one that finds none. */
const uploadStandstill = 60_000;

/** Proofs for clients: two are prepared at a time, and a client may ask for all its bundles here at once. */
const proofGate = { atOnce: 2, waiting: 14, perPeer: 8 };
/** Complete bundles that are hashed and stored: each is in memory with its trees, 12 MB in all. */
const admissionGate = { atOnce: 2, waiting: 32, perPeer: 16 };
/** Trees of bundles that are read for cells: 2 MB each. */
const readingGate = { atOnce: 4, waiting: 64, perPeer: 16 };

/** Part of this thread that reading manifests and trees for peers may take; each takes 50 ms at most. */
const strangersShare = 1 / 5;

const notThisDatasets = "manifest, owner and terms are not this dataset's";
const notOffered = "this dataset was not offered to this node";

/** What a storage node answers to other keepers and to clients. */
export class StorageService implements ShardService {
  readonly #parts: ServiceParts;
  readonly #pace = new Pace(strangersShare);
  readonly #manifests: Manifests;
  readonly #offers: KeptOffers;
  readonly #space: Space;
  readonly #proofs: Gate;
  readonly #admissions: Gate;
  readonly #readings: Gate;
  readonly #chain: KeptReads;
  readonly #receiptClock: ServiceParts["receiptClock"];
  #loading: Promise<Arrivals> | undefined;
  #arriving = 0;

  constructor(parts: ServiceParts) {
    const { shelf, account, contracts, chainTime, keptFor = 0, isRegistered } = parts;
    this.#parts = parts;
    const first = isRegistered && { isRegistered };
    this.#proofs = new Gate({ ...proofGate, ...first });
    this.#admissions = new Gate({ ...admissionGate, ...first });
    this.#readings = new Gate({ ...readingGate, ...first });
    this.#manifests = new Manifests(shelf, this.#pace, isRegistered);
    this.#offers = new KeptOffers(shelf);
    this.#space = new Space({ ...parts, operator: account.address });
    this.#chain = new KeptReads({ contracts, chainTime, keptFor });
    this.#receiptClock = kept(keptFor, parts.receiptClock);
  }

  /** What peers wait for here, and what was refused for want of room since the start. */
  get stats() {
    return {
      offers: this.#offers.count,
      arriving: this.#arriving,
      waiting: {
        proofs: this.#proofs.waiting,
        admissions: this.#admissions.waiting,
        readings: this.#readings.waiting,
        manifests: this.#manifests.waiting,
      },
      refused: {
        proofs: this.#proofs.refused,
        admissions: this.#admissions.refused,
        readings: this.#readings.refused,
        manifests: this.#manifests.refused,
      },
    };
  }

  async offer(request: OfferRequest, bytes: Uint8Array | undefined, caller: Caller): Promise<OfferResponse> {
    const { account, shelf, ledger } = this.#parts;
    const { datasetId } = request;
    const { peer } = caller;
    const { manifest, refusal: badTerms } = await this.#readOffer(request, bytes, caller);
    const active = await this.#chain.isActive(account.address);
    const arrivals = await this.#arrivals();
    // Nothing is waited for from here on: what is said holds until something arrives.
    const { layout } = manifest;
    const inactive = { reason: "policy" as const, detail: "this operator is not active" };
    const here = new Set(shelf.indices(datasetId));
    const holdings = ledger.holdersOf(datasetId);
    const holders = new Map(holdings.map(({ bundleIndex, operator }) => [bundleIndex, operator]));
    const from = this.#senderOf(peer);
    const manifestBytes = bytes?.length ?? shelf.manifestBytes(datasetId);
    const beside = { arrivals, holders: holdings, manifestBytes };
    const room = this.#space.room({ datasetId, ...from }, layout, beside);
    const accepted: number[] = [];
    const refused: OfferResponse["refused"] = [];
    for (const bundleIndex of request.bundleIndices) {
      if (bundleIndex >= layout.bundles) {
        const detail = `the dataset has ${layout.bundles} bundles`;
        refused.push({ bundleIndex, reason: "bad-manifest", detail });
        continue;
      }
      const wanted = this.#space.wanted(layout, bundleIndex, holders.get(bundleIndex));
      const isHere = here.has(bundleIndex) || arrivals.has({ datasetId, bundleIndex, ...from });
      if (isHere && room.seatRefusal(wanted) === undefined) {
        room.keep(wanted.segment);
        accepted.push(bundleIndex);
        continue;
      }
      const refusal = active ? (badTerms ?? room.refusal(wanted)) : inactive;
      if (refusal !== undefined) {
        refused.push({ bundleIndex, ...refusal });
        continue;
      }
      room.take(wanted);
      accepted.push(bundleIndex);
    }
    if (accepted.length > 0 && bytes !== undefined) {
      const at = await this.#chain.chainTime();
      this.#offers.keep(datasetId, bytes, { peer, at }, arrivals);
    }
    return { accepted, refused };
  }

  async manifest({ datasetId }: ManifestRequest): Promise<Uint8Array> {
    const bytes = this.#parts.shelf.manifest(datasetId);
    if (bytes === undefined) throw new BlobNotFoundError(`the manifest of ${datasetId}`, "this node");
    return bytes;
  }

  async status({ datasetId, bundleIndices }: StatusRequest, caller?: Caller): Promise<StatusResponse> {
    const { shelf, staging } = this.#parts;
    const from = caller && this.#senderOf(caller.peer);
    const bundles: StatusResponse["bundles"] = [];
    for (const bundleIndex of bundleIndices) {
      const kept = shelf.get(datasetId, bundleIndex);
      const received = kept?.length ?? (await staging.received({ datasetId, bundleIndex, ...from }));
      const state = kept !== undefined ? "held" : received > 0 ? "partial" : "absent";
      bundles.push({ bundleIndex, state, received });
    }
    return { bundles };
  }

  async put(
    request: PutRequest,
    body: AsyncIterable<Uint8Array>,
    bodyLength: number,
    { peer, signal }: Caller,
  ): Promise<PutResponse> {
    const { datasetId, bundleIndex, offset, total } = request;
    const { shelf, staging, vault } = this.#parts;
    const caller = { peer, signal };
    const layout = await this.#manifests.layoutOf(datasetId, caller);
    if (layout === undefined) throw new RefusalError("refused", notOffered);
    if (bundleIndex >= layout.bundles) throw new RefusalError("bad-request", `no bundle ${bundleIndex}`);
    const { bundleBytes } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
    if (total !== bundleBytes) throw new RefusalError("bad-request", `the bundle has ${bundleBytes} bytes`);
    const sender = this.#senderOf(peer);
    const wanted = { datasetId, bundleIndex, ...sender };
    return staging.exclusive(wanted, async () => {
      if (shelf.get(datasetId, bundleIndex) !== undefined) return { received: total };
      signal.throwIfAborted();
      const arrivals = await this.#arrivals();
      let refusal = this.#space.refusal(wanted, layout, arrivals);
      if (refusal?.reason === "no-space" && (await this.#forgetOld(arrivals, uploadStandstill))) {
        refusal = this.#space.refusal(wanted, layout, arrivals);
      }
      if (refusal !== undefined) {
        throw new RefusalError(refusal.reason === "no-space" ? "full" : "refused", refusal.detail);
      }
      const from = { ...sender, isAnchored: this.#space.isAnchored(datasetId, arrivals) };
      arrivals.expect({ ...wanted, ...from }, layout);
      this.#arriving = arrivals.size;
      try {
        const before = await staging.received(wanted);
        // Whoever sends all of it has no use for the beginning that somebody else may have sent.
        const received =
          offset === 0 && bodyLength === total
            ? await staging.replace(wanted, total, body)
            : await staging.append(wanted, offset, total, body);
        if (received > before) arrivals.touch(wanted);
        if (received === total) {
          const read = await this.#manifests.of(datasetId, caller);
          if (read === undefined) throw new RefusalError("refused", notOffered);
          await this.#admissions.run(peer, signal, async () => {
            // Another one of the segment may have been placed meanwhile.
            this.#space.requireSeat(wanted, layout);
            await vault.admit(datasetId, read.manifest, bundleIndex, await staging.read(wanted), from);
          });
          // What others have begun of it is of no use any more. There may be much of it: nobody waits until it is gone.
          this.#forget(arrivals.ofBundle(wanted), arrivals).catch(() => undefined);
        }
        return { received };
      } catch (error) {
        if (!(error instanceof WrongRootsError)) throw error;
        // Wrong bytes must not stand in the way of the right ones.
        await staging.remove(wanted);
        throw new RefusalError("bad-request", error.message, { cause: error });
      } finally {
        const isHere = shelf.get(datasetId, bundleIndex) !== undefined;
        if (isHere || (await staging.received(wanted)) === 0) {
          // A file without bytes would never be asked for again, nor one of a bundle that is here.
          await staging.remove(wanted);
          arrivals.delete(wanted);
        }
        this.#arriving = arrivals.size;
      }
    });
  }

  async commit(request: CommitRequest, caller?: Caller): Promise<CommitResponse> {
    const { account, deployment } = this.#parts;
    const bundle = this.#held(request.datasetId, request.bundleIndex);
    if (request.poseidonRoot !== bundle.poseidonRoot || request.transportRoot !== bundle.transportRoot) {
      throw new RefusalError("refused", "these are not the roots of the bytes that are here");
    }
    const asked = BigInt(request.validUntil);
    const clock = await this.#receiptClock();
    // One endpoint's far epoch or time would bind this node for as long as whoever asks likes.
    if (clock === undefined)
      throw new RefusalError("busy", "the chain's time is not certain: try again later");
    const latest = clock.now + receiptLifetime + clockSlack;
    if (asked > latest) throw new RefusalError("refused", `a receipt is good until ${latest} at most`);
    this.#requireTerm(request.latestEnd, clock);
    await this.#requireNotPutOff(bundle);
    const layout = await this.#manifests.layoutOf(request.datasetId, caller);
    // Nothing is waited for from here on.
    if (layout !== undefined) this.#space.requireSeat(request, layout);
    // While the chain was asked the bytes may have been dropped.
    const { bundleId: id } = this.#held(request.datasetId, request.bundleIndex);
    // They stay for as long as somebody may bring the receipt on chain.
    this.#parts.shelf.keepUntil(id, asked);
    const receipt = {
      datasetId: bundle.datasetId,
      bundleIndex: bundle.bundleIndex,
      poseidonRoot: bundle.poseidonRoot,
      transportRoot: bundle.transportRoot,
      operator: account.address,
      validUntil: asked,
      latestEnd: request.latestEnd,
    };
    const signature = await signReceipt(account, receipt, {
      chainId: deployment.chainId,
      bundleRegistry: addressOf(deployment, "BundleRegistry"),
    });
    return { operator: account.address.toLowerCase() as Hex, validUntil: request.validUntil, signature };
  }

  /** @throws RefusalError where it was signed for again and again, or too much is, and nobody pays for it still */
  async #requireNotPutOff(bundle: ShelvedBundle): Promise<void> {
    const { shelf, ledger } = this.#parts;
    const { bundleId: id } = bundle;
    if (this.#space.holder(ledger.holderOf(id)) === "this operator") return;
    const now = await this.#chain.chainTime();
    this.#space.requirePromise(bundle);
    if (now <= shelf.promisedSince(id, now) + promisedFor) return;
    throw new RefusalError("refused", "it was signed for days ago and never placed: send it again");
  }

  async *get({ datasetId, bundleIndex, offset, length }: GetRequest): AsyncIterable<Uint8Array> {
    yield* this.#parts.vault.read(this.#held(datasetId, bundleIndex), offset, length);
  }

  async cells(
    { datasetId, bundleIndex, cells }: CellsRequest,
    { peer, signal }: Caller,
  ): Promise<ProvenCell[]> {
    const bundle = this.#held(datasetId, bundleIndex);
    const absent = cells.find((cell) => cell >= bundle.cells);
    if (absent !== undefined) throw new RefusalError("bad-request", `the bundle has no cell ${absent}`);
    return this.#readings.run(peer, signal, async () => {
      await this.#openTrees(bundle, signal);
      return await this.#parts.possession.openCells(bundle, cells);
    });
  }

  async prove(
    { datasetId, bundleIndex, seed }: ProveRequest,
    { peer, signal }: Caller,
  ): Promise<PossessionAnswer> {
    const bundle = this.#held(datasetId, bundleIndex);
    try {
      return await this.#proofs.run(peer, signal, async () => {
        await this.#openTrees(bundle, signal);
        return await this.#parts.possession.proveForClient(bundle, hexToBytes(seed), signal);
      });
    } catch (error) {
      if (error instanceof ProverBusyError) throw new RefusalError("busy", error.message, { cause: error });
      throw error;
    }
  }

  /** Has a bundle's trees in memory: reading them takes some of this thread. */
  async #openTrees(bundle: ShelvedBundle, signal: AbortSignal): Promise<void> {
    const { vault } = this.#parts;
    if (!vault.isOpen(bundle)) await this.#pace.run(signal, () => vault.commitment(bundle));
  }

  /** Forgets uploads that nobody goes on with, and offers that nothing came of: they would keep their space for ever. */
  async forgetAbandoned(): Promise<void> {
    const arrivals = await this.#arrivals();
    await this.#forgetOld(arrivals, uploadPatience);
    const idle = this.#offers.idle(arrivals);
    if (idle.length > 0) this.#offers.forget(idle, arrivals, await this.#chain.chainTime());
  }

  /** Gives the space of uploads back that have stood still for so many milliseconds. @returns whether there was any */
  #forgetOld(arrivals: Arrivals, patience: number): Promise<boolean> {
    return this.#forget(arrivals.all(), arrivals, (it) => performance.now() - it.touched >= patience);
  }

  async #forget(
    some: readonly Arrival[],
    arrivals: Arrivals,
    mayGo: (arrival: Arrival) => boolean = () => true,
  ): Promise<boolean> {
    const { staging } = this.#parts;
    let found = false;
    for (const arrival of some) {
      // One that somebody works on is not old, and must not be waited for.
      if (!mayGo(arrival) || staging.isBusy(arrival)) continue;
      await staging.exclusive(arrival, async () => {
        if (!mayGo(arrival)) return;
        await staging.remove(arrival);
        arrivals.delete(arrival);
        found = true;
      });
    }
    this.#arriving = arrivals.size;
    return found;
  }

  #senderOf(peer: string): Sender {
    return { sender: senderOf(peer), isStranger: this.#parts.isRegistered?.(peer) === false };
  }

  /** Uploads under way, also those that an earlier process has begun. */
  #arrivals(): Promise<Arrivals> {
    this.#loading ??= this.#loadArrivals().catch((error: unknown) => {
      // Too many manifests may wait to be read, for now.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #loadArrivals(): Promise<Arrivals> {
    const { staging } = this.#parts;
    const arrivals = new Arrivals((datasetId) => this.#parts.shelf.manifestBytes(datasetId));
    for (const staged of await staging.list()) {
      const layout = await this.#manifests.layoutOf(staged.datasetId);
      const { sender } = staged;
      // Earlier versions did not keep who sends it: nobody can go on with it.
      if (layout === undefined || sender === undefined) await staging.remove(staged);
      else {
        const isAnchored = this.#space.isAnchored(staged.datasetId, arrivals);
        arrivals.expect({ ...staged, sender, isStranger: true, isAnchored }, layout);
      }
    }
    return arrivals;
  }

  #held(datasetId: Hex, bundleIndex: number): ShelvedBundle {
    const bundle = this.#parts.shelf.get(datasetId, bundleIndex);
    if (bundle === undefined)
      throw new BlobNotFoundError(`bundle ${bundleIndex} of ${datasetId}`, "this node");
    return bundle;
  }

  /** @throws RefusalError when a duty could last for longer than this node serves */
  #requireTerm(latestEnd: number, { epoch, length }: ReceiptClock): void {
    const { asking } = this.#parts;
    const most = latestEndFor(asking.longestTerm, epoch, length, receiptLifetime + clockSlack);
    if (latestEnd <= most) return;
    throw new RefusalError("refused", `it serves until epoch ${most} at most, not until ${latestEnd}`);
  }

  /**
   * The offered manifest, once it is certain that it belongs to the dataset's id, and what is wrong with the terms: those of
   * the anchor where there is one, else those that the id commits to.
   */
  async #readOffer(
    request: OfferRequest,
    sent: Uint8Array | undefined,
    caller: Caller,
  ): Promise<{ manifest: ReadManifest; refusal: Refusal | undefined }> {
    const { deployment, asking } = this.#parts;
    const { datasetId, owner } = request;
    const manifest = await this.#readManifest(request, sent, caller);
    const anchor = await this.#chain.dataset(datasetId, manifest.hash);
    if (anchor.status !== datasetStatus.none) {
      if (anchor.manifestHash !== manifest.hash) throw new RefusalError("bad-request", notThisDatasets);
      const epochs = anchor.endEpoch - (await this.#chain.currentEpoch());
      const isRunning = anchor.status === datasetStatus.active && epochs > 1;
      const over = { reason: "policy" as const, detail: "the dataset is over" };
      const refusal = isRunning ? termsRefusal(asking, { feePerAudit: anchor.feePerAudit, epochs }) : over;
      return { manifest, refusal };
    }
    if (request.terms === undefined) throw new RefusalError("bad-request", "say under which terms");
    const terms = readTerms(request.terms);
    if (offeredId(deployment, owner, manifest.manifest, manifest, terms) !== datasetId) {
      throw new RefusalError("bad-request", notThisDatasets);
    }
    const inForce = await this.#chain.parameters();
    const stale = { reason: "policy" as const, detail: "the registry's parameters are others now" };
    const refusal = areSameParameters(terms.parameters, inForce) ? termsRefusal(asking, terms) : stale;
    return { manifest, refusal };
  }

  async #readManifest(
    { datasetId, manifestCid }: OfferRequest,
    sent: Uint8Array | undefined,
    caller: Caller,
  ): Promise<ReadManifest> {
    if (sent !== undefined) return await this.#manifests.read(sent, manifestCid, caller);
    const kept = await this.#manifests.of(datasetId, caller);
    if (kept === undefined) throw new RefusalError("bad-request", "send the manifest with the offer");
    if (kept.cid === manifestCid) return kept;
    throw new RefusalError("bad-request", "the manifest does not have this CID");
  }
}
