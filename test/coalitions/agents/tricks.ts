import { bytesToHex, type Hex } from "viem";
import type { AssayEvent } from "../../../keepers/src/chain/contracts.ts";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import { nodes, type Party } from "../cast.ts";
import type { DatasetName, Plan, Trick } from "../conduct.ts";
import { type Anchored, anchor, bundleIdOf, makeDataset, n, placeAll, receiptOf } from "../datasets.ts";
import type { Scene } from "../scene.ts";
import { someHash } from "../world.ts";
import type { Agent } from "./agent.ts";
import { Covers } from "./covers.ts";
import { takeOver } from "./node.ts";

/** Who anchors what is no data. */
const decoyOwner: Party = "stranger0";
/** What a bundle is covered with, each of one cell. */
const crumbs = 63;

/** What a coalition does besides what its members' conduct says: each trick once, some time after an event. */
export class Tricks implements Agent {
  readonly #scene: Scene;
  readonly #due: { readonly trick: Trick; at: number | undefined; seen: number; isDone: boolean }[];
  /** How often friends still take over what lost its holders, only to leave it again. */
  #turns = 0;
  readonly #covers: Covers;

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#covers = new Covers(scene);
    this.#due = plan.tricks.map((trick) => ({ trick, at: undefined, seen: 0, isDone: false }));
    scene.on((event) => this.#see(event));
  }

  async act(): Promise<boolean> {
    let isDone = await this.#covers.answer();
    isDone = (await this.#turnOver()) || isDone;
    for (const each of this.#due) {
      if (each.isDone || each.at === undefined || each.at > this.#scene.now) continue;
      each.isDone = true;
      isDone = (await this.#do(each.trick)) || isDone;
    }
    return isDone;
  }

  #see({ eventName }: AssayEvent): void {
    for (const each of this.#due) {
      const { event, nth, delay } = each.trick.when;
      if (event !== eventName || each.at !== undefined || each.seen++ < nth) continue;
      each.at = this.#scene.now + delay;
      this.#scene.wakeAt(each.at);
      // What stops the chain stops it before anybody has answered.
      if (delay !== 0 || (each.trick.kind !== "halt" && each.trick.kind !== "censor")) continue;
      each.isDone = true;
      this.#silence(each.trick);
    }
  }

  #silence(trick: Extract<Trick, { kind: "halt" | "censor" }>): boolean {
    if (trick.kind === "halt") this.#scene.silence(trick.seconds);
    else this.#scene.silence(trick.seconds, trick.party);
    return false;
  }

  async #do(trick: Trick): Promise<boolean> {
    const { by } = trick;
    switch (trick.kind) {
      case "halt":
      case "censor":
        return this.#silence(trick);
      case "surrender":
        return await this.#surrender(trick.dataset);
      case "turnover":
        this.#turns = trick.times;
        return await this.#surrender("result", true);
      case "unbond":
        return await this.#unbond(by);
      case "challenge":
        return await this.#challenge(trick);
      case "accuse":
        return await this.#accuse(trick);
      case "retrieve":
        return await this.#retrieve(by, this.#dataset(trick.dataset), trick.index);
      case "squat":
        return await this.#squat(by, this.#dataset(trick.dataset), trick.index);
      case "extend": {
        const dataset = this.#dataset(trick.dataset);
        if (dataset === undefined) return false;
        return await this.#scene.send(by, "DatasetRegistry", "addEpochs", [dataset.id, trick.epochs]);
      }
      case "pause":
        return !this.#scene.isHonest("deployer") && (await this.#scene.pause(trick.contract));
      case "slash": {
        const args = [
          this.#scene.world.address(trick.victim),
          10n ** 21n,
          this.#scene.world.address(by),
        ] as const;
        return await this.#scene.send(by, "Staking", "slash", [...args, someHash("theft")]);
      }
      case "cover":
        return await this.#cover(trick);
      case "dilute":
        return await this.#dilute();
    }
  }

  #dataset(name: DatasetName): Anchored | undefined {
    return [...this.#scene.datasets.values()].findLast((dataset) => dataset.name.startsWith(name));
  }

  /** Everything of a dataset that the coalition holds is given up. */
  async #surrender(name: DatasetName, comesBack = false): Promise<boolean> {
    const dataset = this.#dataset(name);
    let isDone = false;
    for (const { bundleId, datasetId, bundleIndex, operator } of this.#scene.bundles.holdings()) {
      const party = this.#scene.partyAt(operator)!;
      if (datasetId !== dataset?.id || this.#scene.isHonest(party)) continue;
      if (!(await this.#scene.send(party, "BundleRegistry", "surrender", [bundleId]))) continue;
      isDone = true;
      const root = BigInt(dataset.poseidonRoots[bundleIndex]!);
      if (comesBack) this.#share(root);
      // Who gives it up on purpose does not take it over again.
      else this.#scene.truth.drop(operator, root);
    }
    return isDone;
  }

  get #friends(): Party[] {
    return nodes.filter((node) => !this.#scene.isHonest(node));
  }

  /** All nodes of the coalition have what one of them has. */
  #share(root: bigint): void {
    for (const node of this.#friends) this.#scene.truth.give(this.#scene.world.address(node), root);
  }

  /** Friends are first with a proof for what lost its holders, each for another bundle, and leave again at once. */
  async #turnOver(): Promise<boolean> {
    if (this.#turns === 0) return false;
    const result = this.#dataset("result");
    const friends = this.#friends;
    let isDone = false;
    for (const vacancy of this.#scene.bundles.vacancies()) {
      if (vacancy.datasetId !== result?.id) continue;
      for (const friend of friends) {
        if (!(await takeOver(this.#scene, friend, vacancy))) continue;
        friends.splice(friends.indexOf(friend), 1);
        isDone = true;
        break;
      }
    }
    if (!isDone) return false;
    this.#turns--;
    return await this.#surrender("result", true);
  }

  /** Takes out of its stake whatever nothing has a lock on. */
  async #unbond(by: Party): Promise<boolean> {
    const { stake, locked } = await this.#scene.world.contracts.Staking.read.operatorOf([
      this.#scene.world.address(by),
    ]);
    return stake > locked && (await this.#scene.send(by, "Staking", "unbond", [stake - locked]));
  }

  async #challenge(trick: Extract<Trick, { kind: "challenge" }>): Promise<boolean> {
    const job = this.#scene.jobs
      .openJobs()
      .find(({ status }) => status === "Committed" || status === "Attested");
    const claimed = job && this.#scene.claimed.get(job.result!.traceRoot);
    if (job === undefined || claimed === undefined) return false;
    const { before, next } = challengeOf(claimed.publishedLeaves, trick.interval % claimed.job.intervals);
    const bond = this.#scene.world.tariff.challengerBond;
    const args = [job.jobId, BigInt(trick.interval % claimed.job.intervals), before, next] as const;
    return await this.#scene.send(trick.by, "DisputeGame", "challenge", args, bond);
  }

  /** Says of a member of the newest committee that it has signed what is not so. */
  async #accuse({ by, position, number }: Extract<Trick, { kind: "accuse" }>): Promise<boolean> {
    const draw = this.#scene.committeeLedger.undismissed().at(-1);
    if (draw === undefined) return false;
    const args = [draw.jobId, draw.attempt, BigInt(position), BigInt(number)] as const;
    const bond = this.#scene.world.tariff.challengerBond;
    return await this.#scene.send(by, "MemberGame", "accuse", args, bond);
  }

  async #retrieve(by: Trick["by"], dataset: Anchored | undefined, index: number): Promise<boolean> {
    if (dataset === undefined) return false;
    const bond = await this.#scene.world.contracts.RetrievalChallenges.read.bond();
    const proof = dataset.tree.proof(index).map((hash) => bytesToHex(hash));
    const args = [bundleIdOf(dataset.id, index), 0, dataset.transportRoots[index]!, proof] as const;
    return await this.#scene.send(by, "RetrievalChallenges", "challenge", args, bond);
  }

  /** Takes a vacant bundle whose bytes it never had. */
  async #squat(by: Trick["by"], dataset: Anchored | undefined, index: number): Promise<boolean> {
    if (dataset === undefined) return false;
    const receipts = [await receiptOf(this.#scene, dataset, index, by)];
    return await this.#scene.send(by, "BundleRegistry", "place", [receipts]);
  }

  /**
   * Keeps one cell of a large bundle, and has a bundle of one cell with the same root counted instead: two covers with one root
   * in one epoch.
   */
  async #cover({ by }: Extract<Trick, { kind: "cover" }>): Promise<boolean> {
    const large = this.#archived(by);
    if (large === undefined) return false;
    const { archive, own, root } = large;
    this.#scene.truth.give(this.#scene.world.address(by), root, 1);
    const size = { objects: 1, bytes: 1, objectRoot: someHash("decoy") };
    const terms = { fee: 0n, epochs: archive.terms.epochs };
    const content = archive.name;
    const decoy = await anchor(
      this.#scene,
      makeDataset({ name: "decoy", owner: decoyOwner, size, terms, content }),
    );
    if (decoy === undefined) return false;
    const receipts = [await receiptOf(this.#scene, decoy, own.bundleIndex, by)];
    await this.#scene.send(decoyOwner, "BundleRegistry", "place", [receipts]);
    const small = { bundleId: bundleIdOf(decoy.id, own.bundleIndex), root, cells: decoy.cells };
    await this.#covers.register(by, [{ bundleId: own.bundleId, root, cells: archive.cells }]);
    return await this.#covers.register(by, [small]);
  }

  /** One node forgets a large bundle, and has one proof answer for it and for as many bundles of one cell as a cover takes. */
  async #dilute(): Promise<boolean> {
    const scene = this.#scene;
    const large = this.#friends.map((node) => this.#archived(node)).find((each) => each !== undefined);
    if (large === undefined) return false;
    const { by, archive, own, root } = large;
    scene.truth.drop(scene.world.address(by), root);
    const size = { objects: crumbs, bytes: 1, objectRoot: someHash("crumbs") };
    const parts = {
      name: `crumbs of ${by}`,
      owner: decoyOwner,
      size,
      terms: { fee: 0n, epochs: 1 },
      segments: crumbs,
    };
    const decoy = await anchor(scene, makeDataset(parts));
    if (decoy === undefined) return false;
    const indices = Array.from({ length: crumbs }, (_, segment) => segment * n);
    const holders = indices.map((index) => [index, by] as const);
    if (!(await placeAll(scene, decoy, holders))) return false;
    const small = indices.map((index) => {
      return {
        bundleId: bundleIdOf(decoy.id, index),
        root: BigInt(decoy.poseidonRoots[index]!),
        cells: decoy.cells,
      };
    });
    return await this.#covers.register(by, [
      { bundleId: own.bundleId, root, cells: archive.cells },
      ...small,
    ]);
  }

  /** The bundle of the archive that a node holds. */
  #archived(
    by: Party,
  ): { by: Party; archive: Anchored; own: { bundleId: Hex; bundleIndex: number }; root: bigint } | undefined {
    const { world, bundles } = this.#scene;
    const archive = this.#dataset("archive");
    const own = bundles.holdingsOf(world.address(by)).find(({ datasetId }) => datasetId === archive?.id);
    if (archive === undefined || own === undefined) return undefined;
    return { by, archive, own, root: BigInt(archive.poseidonRoots[own.bundleIndex]!) };
  }
}
