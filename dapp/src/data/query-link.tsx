import type { DocumentNode } from "graphql";
import { useNetwork } from "../network/context.ts";
import { playgroundOf } from "./ask.ts";
import styles from "./query-link.module.css";
import { useSource } from "./source.ts";

/** Where what is shown comes from: the query, to be run by hand, or the chain itself. */
export function QueryLink({ document, variables = {} }: { document: DocumentNode; variables?: object }) {
  const { subgraph } = useNetwork();
  const source = useSource();
  if (subgraph === undefined || source.kind === "chain")
    return <span className={styles.from}>From the chain</span>;
  const [definition] = document.definitions;
  const name = definition?.kind === "OperationDefinition" ? definition.name?.value : undefined;
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
