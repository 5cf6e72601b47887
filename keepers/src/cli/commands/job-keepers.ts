import { type Command, Option } from "commander";
import type { ChallengerCommandOptions, ProviderCommandOptions } from "../actions/job-keepers.ts";
import type { Register } from "../register.ts";
import type { RunOptions } from "../run-keeper.ts";
import { bits, natural, share, tier, tokens } from "./options.ts";
import { bidCommand } from "./provider-bid.ts";
import { computing, running } from "./run-options.ts";

const actions = () => import("../actions/job-keepers.ts");
const amount = (flags: string, text: string, value: bigint, shown: string) =>
  new Option(flags, text).argParser(tokens).default(value, shown);

/** `assay provider`, `assay challenger` and `assay janitor` */
export function jobKeeperCommands(program: Command, register: Register): void {
  const provider = program.command("provider").description("train for others");
  computing(provider.command("run"))
    .option("--stake <tokens>", "register the account as a provider and bring its stake to this much", tokens)
    .addOption(amount("--per-hour <tokens>", "price of an hour of training", 10n ** 18n, "1"))
    .addOption(amount("--floor <tokens>", "least price of a job", 10n ** 18n, "1"))
    .addOption(
      amount(
        "--per-opening <tokens>",
        "asked on top for each interval that is opened to a committee",
        2n * 10n ** 16n,
        "0.02",
      ),
    )
    .option(
      "--feed-margin <percent>",
      "asked above the costs where an order is priced by a feed, which may move",
      natural(0, 100),
      5,
    )
    .option("--jobs <count>", "jobs that may be under way at once", natural(1, 64), 1)
    .option("--auctions-only", "do not take orders that were posted without an auction")
    .option("--compute <score>", "compute score that bids declare", natural(0, 2 ** 32 - 1), 1)
    .option("--region <number>", "region that bids declare", natural(0, 63))
    .option("--regulations <numbers>", "regulations that bids declare, with commas between", bits)
    .option("--privacy <tier>", "privacy tier that bids declare", tier, 0)
    .option("-k, --data-shards <count>", "bundles that are enough to restore a result", natural(1, 36), 8)
    .option("-n, --shards <count>", "bundles of a result", natural(2, 255), 11)
    .addOption(amount("--fee <tokens>", "fee per bundle of a result and answered audit", 10n ** 15n, "0.001"))
    .option("--epochs <count>", "epochs for which results are paid", natural(1, 16_384), 30)
    .option("--workers <multiaddr>", "let strangers compute for pay; where they reach this provider")
    .option("--serve <multiaddr>", "where members of committees may ask for what saves them work")
    .option("--announce <multiaddr>", "what to tell them, when that differs")
    .addOption(
      amount("--worker-pay <tokens>", "pay for a chunk of a step, to each worker", 10n ** 15n, "0.001"),
    )
    .addOption(amount("--worker-budget <tokens>", "most pay for a job; locked as surety", 10n ** 19n, "10"))
    .option("--copies <count>", "workers that have to agree on a chunk", natural(1, 16), 2)
    .option("--check <share>", "part of the chunks that is computed here too; 1 is without risk", share, 1)
    .option("--chunks <count>", "chunks that a step is cut into, at most", natural(1, 1024), 8)
    .description("bid, train, store, commit, answer disputes, collect; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A provider may be killed at any time and started again.

Example:
  $ assay provider run --stake 1000 --per-hour 2`,
    )
    .action(
      register.action(async (context, options: ProviderCommandOptions) =>
        (await actions()).runProvider(context, options),
      ),
    );

  bidCommand(provider, register);

  const challenger = program.command("challenger").description("check what others have trained");
  computing(challenger.command("run"))
    .option(
      "--budget <micro-batches>",
      "micro-batches of the jobs that are executed again at a time; which jobs is drawn by lot when not all fit",
      natural(1, 2 ** 50),
      1_000_000,
    )
    .description("execute committed jobs again, dispute what is wrong, collect rewards; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
It needs no stake; each challenge takes a bond in the chain's coin, which comes back with a reward when it is won.

Example:
  $ assay challenger run`,
    )
    .action(
      register.action(async (context, options: ChallengerCommandOptions) =>
        (await actions()).runChallenger(context, options),
      ),
    );

  const janitor = program.command("janitor").description("keep jobs going when others have gone away");
  running(janitor.command("run"))
    .description(
      "award auctions, end jobs whose time is over, finalise, execute timeouts, settle; Ctrl-C ends it",
    )
    .addHelpText(
      "after",
      `
It needs coins for gas and nothing else. Everybody with a part in a job does the same for that job; a janitor does it for all.

Example:
  $ assay janitor run`,
    )
    .action(
      register.action(async (context, options: RunOptions) => (await actions()).runJanitor(context, options)),
    );
}
