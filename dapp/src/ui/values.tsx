import type { ReactNode } from "react";
import { formatUnits } from "viem";
import { Link } from "wouter";
import { momentOf } from "./moment.ts";
import styles from "./values.module.css";

const decimals = 18;

/** Token base units as people write them: "1,234.5"; never rounded to nothing. */
export function inTokens(units: bigint | string, most = 4): string {
  const [whole = "0", fraction = ""] = formatUnits(BigInt(units), decimals).split(".");
  const shown = fraction.slice(0, most).replace(/0+$/, "");
  const grouped = BigInt(whole).toLocaleString("en");
  if (shown === "" && whole === "0" && BigInt(units) !== 0n) return `< 0.${"0".repeat(most - 1)}1`;
  return shown === "" ? grouped : `${grouped}.${shown}`;
}

/** Tokens with their unit. */
export function Amount({ units, unit = "tokens" }: { units: bigint | string; unit?: string }) {
  return (
    <span className={styles.amount} title={`${formatUnits(BigInt(units), decimals)} ${unit}`}>
      {inTokens(units)} <span className={styles.unit}>{unit}</span>
    </span>
  );
}

/** The ends of a long identifier. */
export function shortly(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`;
}

/** An identifier by its ends, whole for those who copy or hover. */
export function Id({ hex, to }: { hex: string; to?: string }) {
  const text = <code className={styles.id}>{shortly(hex)}</code>;
  return to === undefined ? (
    <span title={hex}>{text}</span>
  ) : (
    <Link href={to} title={hex} className={styles.link}>
      {text}
    </Link>
  );
}

/** An account, which leads to the operator behind it. */
export function Account({ address }: { address: string }) {
  return <Id hex={address} to={`/operators/${address.toLowerCase()}`} />;
}

export function DatasetId({ id }: { id: string }) {
  return <Id hex={id} to={`/datasets/${id}`} />;
}

/** A transaction, which leads to what it did. */
export function Transaction({
  hash,
  onFollow,
  children,
}: {
  hash: string;
  /** Told when somebody goes there. */
  onFollow?: () => void;
  children?: ReactNode;
}) {
  return (
    <Link href={`/transactions/${hash}`} title={hash} className={styles.link} onClick={onFollow}>
      {children ?? <code className={styles.id}>{shortly(hash)}</code>}
    </Link>
  );
}

/** Something that leads to the transaction that it came about in, where that is known. */
export function In({
  event,
  children,
}: {
  event: { readonly transaction: string } | undefined;
  children: ReactNode;
}) {
  return event === undefined ? children : <Transaction hash={event.transaction}>{children}</Transaction>;
}

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** A second since 1970, in the visitor's own time; or the day in UTC that begins with it. What no calendar reaches is never. */
export function Time({ at, isDay = false }: { at: string | bigint | number; isDay?: boolean }) {
  const date = momentOf(at);
  if (date === undefined) return <span title={String(at)}>never</span>;
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()} className={styles.time}>
      {(isDay ? day : moment).format(date)}
    </time>
  );
}
