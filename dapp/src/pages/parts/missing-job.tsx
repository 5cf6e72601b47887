import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { useContracts } from "../../data/use-contracts.ts";
import { Notice } from "../../ui/badge.tsx";
import { EmptyState, Skeleton } from "../../ui/states.tsx";

/** Milliseconds between two times that the chain is asked. */
const pause = 4_000;

/** A job that figures do not have: none, or one that the chain has and the index does not have yet. */
export function MissingJob({ id }: { id: string }) {
  const { contracts } = useContracts();
  const isNumber = /^\d{1,20}$/.test(id);
  const job = useQuery({
    queryKey: ["job on the chain", id],
    enabled: isNumber,
    refetchInterval: pause,
    queryFn: () => contracts.JobRegistry.read.jobOf([BigInt(id)]),
  });
  if (isNumber && job.isLoading) return <Skeleton lines={4} />;
  if (job.data !== undefined && job.data.status !== 0) {
    return (
      <Notice tone="waiting" title={`Job ${id} is on the chain; the index has not come to it yet`}>
        It is shown here as soon as it has. Nothing has to be done again.
      </Notice>
    );
  }
  return (
    <EmptyState title={`There is no job ${id} on this chain.`}>
      {job.error !== null && <p>The chain itself could not be asked; the index knows no such job.</p>}
      <Link href="/jobs">All jobs</Link>
    </EmptyState>
  );
}
