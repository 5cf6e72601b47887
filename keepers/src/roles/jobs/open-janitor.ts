import { JobJanitor } from "./janitor.ts";
import { JobKeeper, type KeeperOptions } from "./job-keeper.ts";

/**
 * A keeper that only tidies up, for everybody: it awards auctions, ends jobs whose time is over, finalises, calls and
 * executes timeouts of disputes, settles, pays rewards. It needs coins for gas and nothing else.
 */
export function openJanitor(options: KeeperOptions): Promise<JobKeeper> {
  return JobKeeper.open(options, { duties: (context) => [new JobJanitor(context)] });
}
