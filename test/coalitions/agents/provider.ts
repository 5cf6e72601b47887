import { bytesToHex, type Hex, isAddressEqual, keccak256 } from "viem";
import { encodeState } from "../../../keepers/src/core/exact/result-files.ts";
import { checkpointSteps } from "../../../keepers/src/core/market/instalments.ts";
import { bidCommitment } from "../../../keepers/src/core/market/typed-data.ts";
import { turnOf } from "../../../keepers/src/roles/jobs/challenge-record.ts";
import type { JobRecord } from "../../../keepers/src/roles/jobs/job-record.ts";
import { makeMove } from "../../../keepers/src/roles/jobs/mover.ts";
import type { LeafClaim } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { openLeaf, traceTreeOf } from "../../../keepers/src/training/dispute/leaves.ts";
import { claimedPart } from "../../../keepers/src/training/dispute/prefix-run.ts";
import { nodes, type Party } from "../cast.ts";
import type { ProviderConduct } from "../conduct.ts";
import { anchor, makeDataset, n, placeAll } from "../datasets.ts";
import { isSameLeaf, runOf } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { nothing, someHash } from "../world.ts";
import type { Agent } from "./agent.ts";
import { bidOn, trainingTime } from "./consumer.ts";

/** Seconds until what was won is fetched and locked, and until a job is trained. */
const fetching = 300;
const training = (2 * trainingTime) / 5;
/** Epochs for which a result is stored. */
const epochs = 60;
/** Parts of a price in which bids are thought of. */
const whole = 100;

/** Results for which something is still to be paid. */
function owedResults({ status, result, checkpoints }: JobRecord): Hex[] {
  const posted = checkpoints.filter(({ paid }) => paid === undefined).map(({ resultId }) => resultId);
  const isOwed = status === "Committed" || status === "Attested";
  return isOwed ? [...posted, result!.resultId] : posted;
}

/** Bids for a job, trains it, has its result stored and answers for it. */
export class Provider implements Agent {
  readonly #scene: Scene;
  readonly #name: Party;
  readonly #conduct: ProviderConduct;
  readonly #since = new Map<string, number>();

  constructor(scene: Scene, name: Party, conduct: ProviderConduct = {}) {
    this.#scene = scene;
    this.#name = name;
    this.#conduct = conduct;
  }

  async act(): Promise<boolean> {
    let isDone = false;
    for (const job of this.#scene.jobs.openJobs()) {
      isDone = (await this.#bid(job)) || isDone;
      if (job.provider === undefined || !isAddressEqual(job.provider, this.#address)) continue;
      for (const owed of owedResults(job)) isDone = (await this.#bringAnew(owed)) || isDone;
      if (job.status === "Matched") isDone = (await this.#lock(job)) || isDone;
      else if (job.status === "Training") {
        isDone = (await this.#postCheckpoints(job)) || isDone;
        isDone = (await this.#commit(job)) || isDone;
      } else if (job.status === "Committed" || job.status === "Attested") {
        isDone = (await this.#openWitnesses(job.jobId)) || isDone;
      }
    }
    return (await this.#defend()) || isDone;
  }

  get #address() {
    return this.#scene.world.address(this.#name);
  }

  #runOn(job: JobRecord) {
    return runOf(job.order.problem.datasetId, this.#name, this.#conduct.lie);
  }

  /** Whether so many seconds have gone by since something was first seen; asks to be woken when not. */
  #isAfter(key: string, seconds: number): boolean {
    const first = this.#since.get(key) ?? this.#scene.now;
    this.#since.set(key, first);
    this.#scene.wakeAt(first + seconds);
    return this.#scene.now >= first + seconds;
  }

  async #bid({ jobId, auction, order, status }: JobRecord): Promise<boolean> {
    if (auction === undefined || status !== "Open") return false;
    const { world, now } = this.#scene;
    const { asks = this.#name === "provider" ? whole : whole - 10, hidesBid } = this.#conduct;
    const bid = bidOn(this.#scene, order, this.#name, asks);
    const salt = someHash(`salt ${this.#name}`);
    const { chainId, addresses } = world.deployment;
    const commitment = bidCommitment({ chainId, market: addresses.Market!, jobId, bid, salt });
    if (now <= auction.commitUntil) {
      return await this.#scene.try(`bid ${jobId}`, this.#name, "Market", "commitBid", [jobId, commitment]);
    }
    const own = auction.bids.get(this.#address);
    if (own === undefined || own.price !== undefined || hidesBid === true) return false;
    return await this.#scene.try(`reveal ${jobId}`, this.#name, "Market", "revealBid", [jobId, bid, salt]);
  }

  async #lock({ jobId, matches, orderHash }: JobRecord): Promise<boolean> {
    if (this.#conduct.neverLocks === true || !this.#isAfter(`lock ${jobId}/${matches}`, fetching))
      return false;
    // What nobody was shown nobody can train.
    const isShown = this.#scene.events.some(
      ({ eventName, args }) =>
        eventName === "OrderPosted" && (args as { orderHash: Hex }).orderHash === orderHash,
    );
    if (!isShown && this.#scene.isHonest(this.#name)) return false;
    const { providerBond } = await this.#scene.world.contracts.JobRegistry.read.parametersOf([jobId]);
    return await this.#scene.try(`lock ${jobId}`, this.#name, "JobRegistry", "lock", [jobId], providerBond);
  }

  async #commit(job: JobRecord): Promise<boolean> {
    const { jobId } = job;
    if (this.#conduct.neverCommits === true || !this.#isAfter(`train ${jobId}`, training)) return false;
    const run = this.#runOn(job);
    if (this.#conduct.lie === undefined) this.#scene.truth.callRight(run.traceRoot);
    this.#scene.claimed.set(run.traceRoot, run);
    const commitment = await this.#commitmentTo(job, run.publishedLeaves, 0, run.order.steps);
    if (commitment === undefined) return false;
    return await this.#scene.try(`commit ${jobId}`, this.#name, "JobRegistry", "commit", [jobId, commitment]);
  }

  /** Commits to what was trained by then, for which a part of the price is paid. */
  async #postCheckpoints(job: JobRecord): Promise<boolean> {
    const { jobId, order } = job;
    const { instalments } = order.conditions;
    const run = this.#runOn(job);
    let isDone = false;
    for (const [i, steps] of checkpointSteps({ ...run.order, instalments }).entries()) {
      const [number, due] = [i + 1, Math.floor((training * (i + 1)) / instalments)];
      if (!this.#isAfter(`train ${jobId}`, due)) break;
      if (number <= (job.checkpoints.at(-1)?.number ?? 0)) continue;
      const leaves = run.publishedLeaves.slice(0, steps / run.order.interval + 1);
      const traceRoot = bytesToHex(traceTreeOf(leaves).root);
      const right = runOf(order.problem.datasetId, this.#name);
      if (leaves.every((_, leaf) => isSameLeaf(run, right, leaf))) this.#scene.truth.callRight(traceRoot);
      this.#scene.begun.set(traceRoot, run);
      const commitment = await this.#commitmentTo(job, leaves, number, steps);
      if (commitment === undefined) break;
      const { providerBond } = await this.#scene.world.contracts.JobRegistry.read.parametersOf([jobId]);
      const args = [jobId, BigInt(number), commitment] as const;
      const key = `post ${jobId}/${number}`;
      isDone = (await this.#scene.try(key, this.#name, "Instalments", "post", args, providerBond)) || isDone;
    }
    return isDone;
  }

  /** What is said of the leaves of a trace once the state behind them is stored. */
  async #commitmentTo(job: JobRecord, leaves: readonly LeafClaim[], number: number, steps: number) {
    const resultId = await this.#store(job, number, steps);
    if (resultId === undefined) return undefined;
    const traceRoot = bytesToHex(traceTreeOf(leaves).root);
    const leavesDigest = this.#conduct.withholdsLeaves ? nothing : keccak256(traceRoot);
    const [first, last] = [openLeaf(leaves, 0), openLeaf(leaves, leaves.length - 1)];
    return { traceRoot, first, last, leavesDigest, resultId };
  }

  /** Anchors and places a result, once. */
  async #store(job: JobRecord, number: number, steps: number) {
    const { jobId } = job;
    const name = `result ${jobId}/${number} of ${this.#name}`;
    const known = [...this.#scene.datasets.values()].find((each) => each.name === name);
    if (known !== undefined) return known.id;
    const run = this.#runOn(job);
    const stream = encodeState(run.program, run.state(steps));
    if (this.#conduct.storesGarbage === true) stream[stream.length - 1]! ^= 1;
    const size = { objects: 1, bytes: stream.length, objectRoot: someHash(name) };
    const dataset = makeDataset({ name, owner: this.#name, size, terms: { fee: 0n, epochs }, stream });
    const anchored = await anchor(this.#scene, dataset);
    if (anchored === undefined) return undefined;
    if (this.#conduct.storesGarbage === true) this.#scene.truth.callGarbage(anchored.id);
    const dice = this.#scene.dice.apart(name);
    const rest = [...nodes] as Party[];
    const holders = Array.from({ length: n }, (_, index) => {
      return [index, rest.splice(dice.int(0, rest.length - 1), 1)[0]!] as const;
    });
    await placeAll(this.#scene, anchored, holders);
    return anchored.id;
  }

  /** Brings what holders of its result gave up, from its own copy, to others that are honest, and says that they come first. */
  async #bringAnew(resultId: Hex): Promise<boolean> {
    const { bundles, datasets, truth, world } = this.#scene;
    if (!this.#scene.isHonest(this.#name)) return false;
    const isOfResult = ({ datasetId }: { datasetId: string }) => datasetId === resultId;
    const free = bundles.vacancies().filter(isOfResult);
    const holders = new Set(
      bundles
        .holdings()
        .filter(isOfResult)
        .map(({ operator }) => operator),
    );
    const rest = nodes.filter((node) => this.#scene.isHonest(node) && !holders.has(world.address(node)));
    const standbys = new Set<Party>();
    for (const { datasetId, bundleIndex } of free) {
      const root = BigInt(datasets.get(datasetId)!.poseidonRoots[bundleIndex]!);
      const isBroughtTo = (node: Party) => truth.has(world.address(node), root);
      const node = nodes.filter((each) => this.#scene.isHonest(each)).find(isBroughtTo) ?? rest.shift();
      if (node === undefined) continue;
      truth.give(world.address(node), root);
      standbys.add(node);
    }
    if (standbys.size === 0) return false;
    const named = [...standbys].map((node) => world.address(node));
    const args = [resultId, named] as const;
    return await this.#scene.try(
      `standbys ${resultId} ${named}`,
      this.#name,
      "BundleRegistry",
      "setStandbys",
      args,
    );
  }

  async #openWitnesses(jobId: bigint): Promise<boolean> {
    if (this.#conduct.withholdsWitnesses === true) return false;
    const drawn = await this.#scene.committees.signed(jobId);
    if (drawn === undefined) return false;
    const run = this.#runOn(this.#scene.jobs.job(jobId)!);
    const openings = [];
    for (const interval of drawn.intervals) {
      const { stateRoot, siblings } = openLeaf(run.publishedLeaves, interval + 1);
      const witnesses = await run.witnesses(interval);
      openings.push({ stateRoot, salt: run.salt(interval), witnesses, siblings });
    }
    const key = `open ${jobId}/${drawn.attempt}`;
    return await this.#scene.try(key, this.#name, "Committee", "openWitnesses", [jobId, openings]);
  }

  /** Answers challenges from its run, by the code that keepers answer with. */
  async #defend(): Promise<boolean> {
    const { jobs } = this.#scene;
    const before = this.#scene.actions.length;
    for (const challenge of jobs.openChallenges()) {
      const { claim, jobId, interval, moves } = challenge;
      if (!isAddressEqual(claim.provider, this.#address) || !jobs.isBound(challenge)) continue;
      const silentFrom = this.#conduct.silentFrom?.[Number(interval)] ?? Number.POSITIVE_INFINITY;
      if (turnOf(challenge) !== "provider" || moves > silentFrom) continue;
      const run = claimedPart(this.#runOn(jobs.job(jobId)!), claim);
      await makeMove(this.#scene.context(this.#name), challenge, { role: "provider", run });
    }
    return this.#scene.actions.slice(before).some(({ sent }) => sent.isRight);
  }
}
