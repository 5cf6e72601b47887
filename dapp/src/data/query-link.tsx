import type { DocumentNode } from "graphql";
import { lazy, Suspense } from "react";
import { useNetwork } from "../network/context.ts";
import { playgroundOf } from "./ask.ts";
import styles from "./query-link.module.css";
import { useSource } from "./source.ts";

const FromEvents = lazy(() => import("./from-events.tsx"));

/** Where what is shown comes from: the query, to be run by hand, or the chain itself. */
export function QueryLink({ document, variables = {} }: { document: DocumentNode; variables?: object }) {
  const { subgraph } = useNetwork();
  const source = useSource();
  const [definition] = document.definitions;
  const name = definition?.kind === "OperationDefinition" ? definition.name?.value : undefined;
  if (subgraph === undefined || source.kind === "chain") {
    return (
      <Suspense fallback="From the chain">
        <FromEvents query={name ?? ""} />
      </Suspense>
    );
  }
  return (
    <a
      className={styles.from}
      href={playgroundOf(subgraph, document, variables)}
      target="_blank"
      rel="noreferrer"
      title="The GraphQL query behind these figures"
    >
      Query <span className="unseen">{name}</span>↗
    </a>
  );
}
