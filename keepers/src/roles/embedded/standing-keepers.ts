import { JobCast, type JobCastOptions } from "./job-cast.ts";

const tokens = 10n ** 18n;
/** Validators of the demonstration, in the order in which they came. */
const validators = 9;
/** What the provider asks for at least. */
const floor = 10n * tokens;

/**
 * Keepers that stay at work on an embedded network once its demonstration is over: its validators, its first provider, which
 * takes orders with and without an auction, and a challenger. With them an order that a visitor places is trained, attested and
 * paid. They have the accounts and folders that they had, so what they left unfinished goes on.
 */
export async function standBy(options: JobCastOptions): Promise<JobCast> {
  const cast = await JobCast.open(options);
  try {
    await cast.validators(Array.from({ length: validators }, (_, i) => ({ name: `validator ${i + 1}` })));
    await cast.provider({ name: "first provider", floor, takesOrders: true });
    await cast.challenger("standing challenger");
    return cast;
  } catch (error) {
    await cast.close();
    throw error;
  }
}
