import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failure, Skeleton } from "../ui/states.tsx";

/** What to show of an answer: lines while it comes, what went wrong, or the thing itself. */
export function Answered<Result>({
  answer,
  what,
  children,
}: {
  answer: UseQueryResult<Result>;
  /** What failed, when it does: "The jobs could not be read". */
  what: string;
  children: (result: Result) => ReactNode;
}) {
  const { data, error, refetch } = answer;
  if (data !== undefined) return children(data);
  if (error !== null) return <Failure what={what} error={error} retry={() => void refetch()} />;
  return <Skeleton lines={4} />;
}
