import { Link } from "wouter";
import type { BundleAuditsQuery, StorageHealthQuery } from "../../../../subgraph/queries/documents.ts";
import { EmptyState } from "../../ui/states.tsx";
import { shortly } from "../../ui/values.tsx";
import styles from "./bundle-map.module.css";

type Bundles = NonNullable<StorageHealthQuery["dataset"]>["bundles"];

/** Epochs that are shown, the latest ones. */
const mostEpochs = 24;

/** Bundles below each other, epochs beside each other: a cell says whether the holder proved possession. */
export function BundleMap({ bundles, audits }: { bundles: Bundles; audits: BundleAuditsQuery["audits"] }) {
  if (bundles.length === 0) return <EmptyState title="No bundle of it was placed." />;
  const epochs = [...new Set(audits.map(({ epoch }) => Number(epoch)))]
    .sort((a, b) => a - b)
    .slice(-mostEpochs);
  const cells = new Map(audits.map((audit) => [`${audit.bundle?.index}-${audit.epoch}`, audit]));
  return (
    // A region that scrolls has to be reached by keyboard.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the region scrolls
    <section className={styles.scroll} aria-label="Map of bundles" tabIndex={0}>
      <table className={styles.map}>
        <caption className="unseen">Who holds each bundle, and whether it proved so in each epoch</caption>
        <thead>
          {epochs.length > 0 && (
            <tr>
              <td colSpan={3} />
              <th scope="colgroup" colSpan={epochs.length} className={styles.epochs}>
                Epochs
              </th>
            </tr>
          )}
          <tr>
            <th scope="col">Bundle</th>
            <th scope="col">Holder</th>
            <th scope="col">Repairs</th>
            {epochs.map((epoch) => (
              <th key={epoch} scope="col" className={styles.epoch}>
                <span className="unseen">Epoch </span>
                {epoch}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {bundles.map(({ id, index, operator, repairs }) => (
            <tr key={id}>
              <th scope="row">{index}</th>
              <td>
                {operator === null ? (
                  <span className={styles.vacant}>nobody</span>
                ) : (
                  <Link href={`/operators/${operator.id}`}>
                    <code>{shortly(operator.id)}</code>
                  </Link>
                )}
              </td>
              <td>{repairs}</td>
              {epochs.map((epoch) => {
                const audit = cells.get(`${index}-${epoch}`);
                if (audit === undefined) {
                  return (
                    <td key={epoch} className={styles.cell}>
                      <span className={styles.none} title={`epoch ${epoch}: not asked`}>
                        <span className="unseen">not asked</span>
                      </span>
                    </td>
                  );
                }
                const word = audit.isAnswered ? "proved" : "missed";
                return (
                  <td key={epoch} className={styles.cell}>
                    <Link
                      href={`/transactions/${audit.transaction}`}
                      className={styles[word]}
                      title={`epoch ${epoch}: ${word}`}
                      aria-label={`Bundle ${index}, epoch ${epoch}: ${word}`}
                    >
                      <span aria-hidden="true">{audit.isAnswered ? "✓" : "✕"}</span>
                    </Link>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p className={styles.note}>
        {epochs.length === 0
          ? "No audit has fallen due yet."
          : "✓ proved in that epoch, ✕ missed, empty: not asked. Each leads to its transaction."}
      </p>
    </section>
  );
}
