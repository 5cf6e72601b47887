import { JobJanitor } from "../../../keepers/src/roles/jobs/janitor.ts";
import { Watcher } from "../../../keepers/src/roles/storage-node/watcher.ts";
import { drandSignature } from "../deployment.ts";
import type { Scene } from "../scene.ts";
import { day, hour } from "../world.ts";
import type { Agent } from "./agent.ts";

/** Seconds for which a published cell counts as asked for (ignition/modules/Storage.ts). */
const retrievalWindow = 6 * hour;
/** Epochs of a walk that somebody opens. */
const audited = 3;

type Retrieval = { readonly challengeId: bigint; readonly deadline: bigint; graceEnds: bigint | undefined };

/** Somebody honest that does what anybody may: brings seeds, opens epochs, calls timeouts and executes them, ends what is over. */
export class Bystander implements Agent {
  readonly #scene: Scene;
  readonly #janitor: JobJanitor;
  readonly #watcher: Watcher;
  readonly #requests = new Map<bigint, number>();
  readonly #retrievals = new Map<bigint, Retrieval>();
  /** Cells that were published, and the last second in which each counts as asked for. */
  readonly #published = new Map<bigint, number>();
  readonly #looks = new Set<number>();
  readonly #draws: { readonly jobId: bigint; readonly attempt: bigint }[] = [];
  readonly #epochs = new Map<number, bigint>();
  readonly #first: number;
  /** Epochs that are opened so that bundles can be taken over. */
  readonly #wanted = new Set<number>();

  constructor(scene: Scene) {
    this.#scene = scene;
    const context = scene.context("bystander");
    this.#janitor = new JobJanitor(context);
    this.#watcher = new Watcher({ ...context, ledger: scene.bundles, stagger: 0n });
    this.#first = Math.floor((scene.now - scene.world.genesis) / day) + 1;
    for (let i = 0; i < audited; i++) scene.wakeAt(scene.world.genesis + (this.#first + i) * day);
    this.#listen();
  }

  async act(): Promise<boolean> {
    const before = this.#scene.actions.length;
    await this.#bringSeeds();
    await this.#openEpoch();
    if (this.#looks.delete(this.#scene.now)) await this.#watcher.tick();
    await this.#judgeRetrievals();
    await this.#releasePublished();
    await this.#janitor.tick();
    await this.#dismiss();
    return this.#scene.actions.slice(before).some(({ sent }) => sent.isRight);
  }

  #listen(): void {
    this.#scene.on((event) => {
      if (event.eventName === "RandomnessRequested" || event.eventName === "RandomnessRedrawn") {
        const times = Object.values(event.args).filter((value) => typeof value === "bigint");
        const { requestId } = event.args as { requestId: bigint };
        this.#requests.set(requestId, Number(times.at(-1)));
      } else if (event.contract === "StorageAudit" && event.eventName === "EpochOpened") {
        this.#epochs.set(event.args.epoch, event.args.requestId);
      } else if (event.contract === "StorageAudit" && event.eventName === "TimeoutCalled") {
        this.#lookAt(Number(event.args.graceEnds) + 1);
      } else if (event.contract === "RetrievalChallenges" && event.eventName === "RetrievalChallenged") {
        const { challengeId, deadline } = event.args;
        this.#retrievals.set(challengeId, { challengeId, deadline, graceEnds: undefined });
      } else if (event.contract === "RetrievalChallenges" && event.eventName === "RetrievalTimeoutCalled") {
        const open = this.#retrievals.get(event.args.challengeId);
        if (open !== undefined) open.graceEnds = event.args.graceEnds;
      } else if (
        event.contract === "RetrievalChallenges" &&
        (event.eventName === "CellPublished" ||
          event.eventName === "RetrievalFailed" ||
          event.eventName === "RetrievalVoided")
      ) {
        this.#retrievals.delete(event.args.challengeId);
        if (event.eventName === "CellPublished") {
          const until = this.#scene.now + retrievalWindow;
          this.#published.set(event.args.challengeId, until);
          this.#scene.wakeAt(until + 1);
        }
      } else if (event.contract === "BundleRegistry" && event.eventName === "BundleVacated") {
        // Whoever takes it over needs a seed that is new.
        this.#epochAfter(this.#scene.now);
      } else if (event.contract === "Committee" && event.eventName === "CommitteeDrawn") {
        const { jobId, attempt } = event.args;
        this.#draws.push({ jobId, attempt });
      }
    });
  }

  /** Opens the next epoch, too, whatever is audited. */
  #epochAfter(time: number): void {
    const epoch = Math.floor((time - this.#scene.world.genesis) / day) + 1;
    this.#wanted.add(epoch);
    this.#scene.wakeAt(this.#scene.world.genesis + epoch * day);
  }

  #lookAt(time: number): void {
    this.#looks.add(time);
    this.#scene.wakeAt(time);
  }

  async #bringSeeds(): Promise<void> {
    const { DrandBeacon, StorageAudit } = this.#scene.world.contracts;
    for (const [requestId, dueAt] of this.#requests) {
      if (dueAt > this.#scene.now) continue;
      const { round, readyAt } = await DrandBeacon.read.requestOf([requestId]);
      const args = [round, drandSignature(round)] as const;
      if (
        readyAt !== 0n ||
        (await this.#scene.try(`round ${round}`, "bystander", "DrandBeacon", "submitRound", args))
      ) {
        this.#requests.delete(requestId);
      }
    }
    for (const [epoch, requestId] of this.#epochs) {
      if (this.#requests.has(requestId)) continue;
      const [seed, opensAt, closesAt] = await StorageAudit.read.windowOf([epoch]);
      this.#epochs.delete(epoch);
      if (opensAt === 0n) continue;
      this.#scene.open.push({ epoch, seed });
      this.#lookAt(Number(closesAt) + 1);
    }
  }

  async #openEpoch(): Promise<void> {
    const epoch = Math.floor((this.#scene.now - this.#scene.world.genesis) / day);
    const isAudited = epoch >= this.#first && epoch < this.#first + audited;
    if (!isAudited && !this.#wanted.has(epoch)) return;
    await this.#scene.try(`epoch ${epoch}`, "bystander", "StorageAudit", "openEpoch", []);
  }

  async #judgeRetrievals(): Promise<void> {
    for (const { challengeId, deadline, graceEnds } of this.#retrievals.values()) {
      const now = BigInt(this.#scene.now);
      if (graceEnds === undefined && now > deadline) {
        await this.#call(`late ${challengeId}`, "callTimeout", challengeId);
      } else if (graceEnds !== undefined && now > graceEnds) {
        await this.#call(`slash ${challengeId}`, "slashFailed", challengeId);
      }
    }
  }

  async #releasePublished(): Promise<void> {
    for (const [challengeId, until] of this.#published) {
      if (this.#scene.now <= until) continue;
      const key = `release ${challengeId}`;
      if (await this.#scene.try(key, "bystander", "RetrievalChallenges", "release", [[challengeId]])) {
        this.#published.delete(challengeId);
      }
    }
  }

  #call(key: string, name: "callTimeout" | "slashFailed", challengeId: bigint): Promise<boolean> {
    return this.#scene.try(key, "bystander", "RetrievalChallenges", name, [challengeId]);
  }

  /** Lets members go whose job is over. */
  async #dismiss(): Promise<void> {
    for (const { jobId, attempt } of this.#draws) {
      const job = this.#scene.jobs.job(jobId)!;
      const isOver = job.status !== "Committed" && job.status !== "Attested" && job.status !== "Training";
      if (!isOver) continue;
      await this.#scene.try(`dismiss ${jobId}/${attempt}`, "bystander", "Committee", "dismiss", [
        jobId,
        attempt,
      ]);
    }
  }
}
