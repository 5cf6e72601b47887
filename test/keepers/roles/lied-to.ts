import { connectChain } from "../../../keepers/src/chain/client.ts";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { type DutyContext, readingAgreed } from "../../../keepers/src/roles/storage-node/context.ts";
import { ManualClock } from "../chain/fixtures.ts";
import { deployment } from "./dataset.ts";
import { account, LogDouble, QueueDouble, type Reads } from "./doubles.ts";
import { TableEndpoint } from "./endpoints.ts";

/** What a keeper works with whose endpoints, three of them at first, say what a test has them say. */
export class LiedTo {
  readonly operator = account(0xa0d);
  readonly log = new LogDouble();
  readonly double = new QueueDouble();
  endpoints: TableEndpoint[];

  constructor(honest: Reads) {
    this.endpoints = ["liar", "b", "c"].map((name) => new TableEndpoint(name, honest));
  }

  /** The one that is asked first. */
  get liar(): TableEndpoint {
    return this.endpoints[0]!;
  }

  get keys(): string[] {
    return this.double.sent.map(({ key }) => key);
  }

  /** Has the first endpoint say this of the newest block: of a numbered one it tells the truth, and is never found out. */
  lie(reads: Reads): void {
    const latest = { ...this.liar.reads };
    for (const [contract, says] of Object.entries(reads)) latest[contract] = { ...latest[contract], ...says };
    this.liar.latest = latest;
  }

  /** Has all of them tell the same. */
  tell(reads: Reads): void {
    for (const each of this.endpoints) {
      each.reads = { ...each.reads };
      for (const [contract, says] of Object.entries(reads)) {
        each.reads[contract] = { ...each.reads[contract], ...says };
      }
    }
  }

  /** Leaves the liar and one more, whose quorum is one: where they differ they agree on nothing. */
  leaveTwo(): void {
    this.endpoints = this.endpoints.slice(0, 2);
    if (this.liar.latest !== undefined) this.liar.reads = this.liar.latest;
  }

  async context(): Promise<DutyContext> {
    const { operator, endpoints, log, double } = this;
    const client = await connectChain({ chainId: deployment.chainId, endpoints, clock: new ManualClock() });
    const contracts = connectContracts(client.public, deployment);
    const agreed = readingAgreed({ client, contracts, deployment });
    const queue = Object.assign(double.queue, { address: operator, isBegun: () => false });
    return { operator, client, deployment, contracts, agreed, queue, log: log.logger };
  }
}
