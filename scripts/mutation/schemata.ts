import type { Mutant } from "./mutants.ts";

/** A mutant among all of a run; tests choose it by this number. */
export type Numbered = Mutant & { id: number };

/** The library that the merged sources ask which mutant is on: it goes under this name into the compiler's input. */
export const selectorFile = "__AssayMutants.sol";
export const selectorName = "__AssayMutants";

/** The beneficiary of blocks in which every mutant reports that it was reached, and none is on. */
export const TRACE = 2n ** 64n;

/** EDR reports calls of this address to whoever collects coverage. */
const COVERAGE_ADDRESS = "0xc0bEc0BEc0BeC0bEC0beC0bEC0bEC0beC0beC0BE";

/** A mutant is on in blocks whose beneficiary is its number; nothing is compiled or deployed anew for it. */
export const selectorCode = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.0;

library ${selectorName} {
    function _on(uint256 id) private view returns (bool chosen) {
        assembly ("memory-safe") {
            let beneficiary := coinbase()
            chosen := eq(beneficiary, id)
            if eq(beneficiary, ${TRACE}) {
                mstore(0, id)
                pop(staticcall(gas(), ${COVERAGE_ADDRESS}, 0, 32, 0, 0))
            }
        }
    }

    function _asPure(function(uint256) view returns (bool) given)
        private
        pure
        returns (function(uint256) pure returns (bool) taken)
    {
        assembly {
            taken := given
        }
    }

    function on(uint256 id) internal pure returns (bool) {
        return _asPure(_on)(id);
    }
}
`;

/** Where in a merged source the code of a mutant is, and the condition that chooses it. */
type Mark = { id: number; condition: number; start: number; end: number };
export type Merged = { code: string; marks: Mark[] };

type Site = { start: number; end: number; form: Mutant["form"]; mutants: Numbered[] };

/** The places that mutants change, those that stand in others after these; a statement before its expression. */
function sitesOf(mutants: readonly Numbered[]): Site[] {
  const sites = new Map<string, Site>();
  for (const mutant of mutants) {
    const { start, end, form } = mutant;
    const key = `${start}:${end}:${form}`;
    const site = sites.get(key) ?? { start, end, form, mutants: [] };
    site.mutants.push(mutant);
    sites.set(key, site);
  }
  const rank = (site: Site) => (site.form === "statement" ? 0 : 1);
  return [...sites.values()].sort((a, b) => a.start - b.start || b.end - a.end || rank(a) - rank(b));
}

/** Writes a text piece by piece and remembers where the mutants are in it. */
class Writer {
  #code = "";
  readonly marks: Mark[] = [];

  get code(): string {
    return this.#code;
  }

  get length(): number {
    return this.#code.length;
  }

  add(text: string): void {
    this.#code += text;
  }
}

/**
 * Puts mutants of one source into it, each behind a condition, so that one compilation holds them all: an expression
 * becomes a choice between what it was and what its mutants make of it, a statement one that is left out.
 */
export function merge(code: string, mutants: readonly Numbered[]): Merged {
  const sites = sitesOf(mutants);
  const writer = new Writer();
  let next = 0;

  /** Writes the source from one byte to another with the sites that are in it. */
  const write = (from: number, to: number) => {
    let at = from;
    for (let site = sites[next]; site !== undefined && site.end <= to; site = sites[next]) {
      next++;
      writer.add(code.slice(at, site.start));
      at = site.form === "statement" ? writeStatement(site) : writeExpression(site);
    }
    writer.add(code.slice(at, to));
  };

  const condition = ({ id }: Numbered) => `${selectorName}.on(${id})`;

  const writeStatement = (site: Site): number => {
    for (const mutant of site.mutants) {
      const start = writer.length;
      writer.add(`{ if (${condition(mutant)}) { `);
      const from = writer.length;
      writer.add(mutant.replacement);
      writer.marks.push({ id: mutant.id, condition: start, start: from, end: writer.length });
      writer.add("; } else ");
    }
    write(site.start, site.end);
    const semicolon = code.indexOf(";", site.end);
    writer.add(code.slice(site.end, semicolon + 1));
    writer.add(" }".repeat(site.mutants.length));
    return semicolon + 1;
  };

  const writeExpression = (site: Site): number => {
    writer.add("(");
    for (const mutant of site.mutants) {
      const start = writer.length;
      writer.add(`${condition(mutant)} ? (`);
      const from = writer.length;
      writer.add(mutant.replacement);
      writer.marks.push({ id: mutant.id, condition: start, start: from, end: writer.length });
      writer.add(") : ");
    }
    writer.add("(");
    write(site.start, site.end);
    writer.add("))");
    return site.end;
  };

  write(0, code.length);
  writer.add(`\nimport {${selectorName}} from "${selectorFile}";\n`);
  return { code: writer.code, marks: writer.marks };
}

/** The mutants that an error of the compiler at a range of a merged source speaks of. */
export function blamed({ marks }: Merged, start: number, end: number): number[] {
  const inside = marks.filter((mark) => mark.start <= start && end <= mark.end);
  const innermost = inside.sort((a, b) => a.end - a.start - (b.end - b.start))[0];
  if (innermost !== undefined) return [innermost.id];
  const chosen = marks.filter((mark) => mark.condition === start || mark.condition === start + 1);
  if (chosen.length > 0) return chosen.map(({ id }) => id);
  return marks.filter((mark) => start <= mark.start && mark.end <= end).map(({ id }) => id);
}
