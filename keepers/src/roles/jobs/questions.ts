import type { ContractFunctionReturnType, Hex } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import type { ChainView } from "../../storage/client/client.ts";

/** A question about a cell of a dataset, open or answered a short time ago: `IRetrievalChallenges.Challenge`. */
export type Question = { readonly challengeId: bigint } & ContractFunctionReturnType<
  (typeof abis)["RetrievalChallenges"],
  "view",
  "challengeOf"
>;

/** Questions that are read at once. */
const atOnce = 50n;

/** The questions about a dataset that keep it from being paid for, in the order in which they were asked. */
export async function* readQuestions(
  { RetrievalChallenges: { read } }: Pick<ChainView["contracts"], "RetrievalChallenges">,
  datasetId: Hex,
): AsyncGenerator<Question> {
  for (let last = 0n; ; ) {
    const ids = await read.questionsOf([datasetId, last, atOnce]);
    const rows = await Promise.all(ids.map((id) => read.challengeOf([id])));
    // One that has left the list since has no dataset any more.
    for (const [i, row] of rows.entries()) {
      if (row.datasetId === datasetId) yield { ...row, challengeId: ids[i]! };
    }
    if (BigInt(ids.length) < atOnce) return;
    last = ids.at(-1)!;
  }
}
