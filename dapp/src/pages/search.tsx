import { CID } from "multiformats/cid";
import { bytesToHex, type Hex } from "viem";
import { useTransactionReceipt } from "wagmi";
import { Link, Redirect } from "wouter";
import { FindDocument } from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { PageHead } from "../ui/card.tsx";
import { EmptyState, Skeleton } from "../ui/states.tsx";
import { Id } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";

/** What somebody may look for. */
type Wanted =
  | { readonly kind: "job" | "operator"; readonly id: string }
  | { readonly kind: "hash"; readonly id: Hex }
  | { readonly kind: "cid"; readonly id: Hex }
  | { readonly kind: "nothing" };

/** What a text that somebody typed or pasted can be the name of. */
export function wantedBy(text: string): Wanted {
  const trimmed = text.trim();
  if (/^(job\s*#?)?\d{1,20}$/i.test(trimmed)) return { kind: "job", id: /\d+/.exec(trimmed)![0] };
  if (/^0x[0-9a-f]{40}$/i.test(trimmed)) return { kind: "operator", id: trimmed.toLowerCase() };
  if (/^0x[0-9a-f]{64}$/i.test(trimmed)) return { kind: "hash", id: trimmed.toLowerCase() as Hex };
  try {
    const { digest } = CID.parse(trimmed.replace(/^ipfs:\/\//, "")).multihash;
    if (digest.length === 32) return { kind: "cid", id: bytesToHex(digest) };
  } catch {
    // Not a CID: nothing that is known.
  }
  return { kind: "nothing" };
}

/** Finds anything by its id, address or CID. */
export default function Search({ text }: { text: string }) {
  const wanted = wantedBy(text);
  switch (wanted.kind) {
    case "job":
      return <Redirect to={`/jobs/${wanted.id}`} replace />;
    case "operator":
      return <Redirect to={`/operators/${wanted.id}`} replace />;
    case "nothing":
      return (
        <>
          <PageHead title="Nothing has such a name" />
          <EmptyState title={`"${text}" is no number of a job, account, id, transaction or CID.`}>
            A job has a number; an account 40 hexadecimal digits after 0x; datasets, bundles, orders and
            transactions have 64.
          </EmptyState>
        </>
      );
  }
  return <ByHash id={wanted.id} isDigest={wanted.kind === "cid"} />;
}

function ByHash({ id, isDigest }: { id: Hex; isDigest: boolean }) {
  const answer = useAnswer(FindDocument, { id, digest: id });
  const receipt = useTransactionReceipt({ hash: id, query: { enabled: !isDigest, retry: 0 } });
  return (
    <Answered answer={answer} what="The search failed">
      {({ dataset, order, bundle, datasets }) => {
        const target = isDigest ? datasets[0]?.id : (dataset?.id ?? bundle?.dataset.id ?? datasets[0]?.id);
        if (target !== undefined) return <Redirect to={`/datasets/${target}`} replace />;
        if (order !== null && order.jobs.length === 1)
          return <Redirect to={`/jobs/${order.jobs[0]!.id}`} replace />;
        if (receipt.data !== undefined) return <Redirect to={`/transactions/${id}`} replace />;
        if (order !== null) {
          return (
            <>
              <PageHead kind="Order" title={<Id hex={id} />} />
              <EmptyState
                title={order.jobs.length === 0 ? "Nobody has taken this order yet." : "Jobs of this order"}
              >
                {order.jobs.map((job) => (
                  <Link key={job.id} href={`/jobs/${job.id}`}>
                    Job {job.id}
                  </Link>
                ))}
              </EmptyState>
            </>
          );
        }
        if (receipt.isLoading) return <Skeleton lines={4} />;
        return (
          <>
            <PageHead title="Nothing on this chain has this name" />
            <EmptyState title="No dataset, bundle, order, manifest or transaction is called">
              <Whole text={id} />
            </EmptyState>
          </>
        );
      }}
    </Answered>
  );
}
