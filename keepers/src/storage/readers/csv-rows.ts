import { CsvError, type Info, parse } from "csv-parse";
import type { InputFile } from "./pieces.ts";
import { malformed, maxLineBytes } from "./source.ts";

export type CsvDelimiter = "," | ";" | "\t" | "|";

/** A row, with the number of the line that it ends on. */
export type Row = { cells: string[]; line: number };

export type RowOptions = { delimiter?: CsvDelimiter; maxBytes?: number };

/**
 * The rows of a CSV file; empty lines are skipped. Of the parser's stream only what streams have had from their beginning is
 * used: in a browser it comes with an old one, and text is all that one takes.
 * @throws BadInputError that names file and line when rows differ in length or are too long, or a quote is open; what reading throws
 */
export async function* readRows(
  file: InputFile,
  { delimiter = ",", maxBytes }: RowOptions,
): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    max_record_size: maxLineBytes,
    relax_column_count: false,
    skip_empty_lines: true,
    trim: true,
  });
  let rows: Row[] = [];
  parser.on("data", ({ record, info }: { record: string[]; info: Info }) =>
    rows.push({ cells: record, line: info.lines }),
  );
  let failure: Error | undefined;
  const settled = Promise.withResolvers<void>();
  parser.on("end", () => settled.resolve());
  parser.on("error", (error: Error) => {
    failure ??= error;
    settled.resolve();
  });
  const written = (text: string) =>
    Promise.race([new Promise<void>((resolve) => parser.write(text, () => resolve())), settled.promise]);
  const taken = () => {
    if (failure !== undefined) throw failure instanceof CsvError ? csvError(file.path, failure) : failure;
    const complete = rows;
    rows = [];
    return complete;
  };

  // The parser's own limit counts characters of cells: neither delimiters nor spaces around them.
  let sinceRow = 0;
  let emptyLines = 0;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const piece of file.read({ maxBytes })) {
    const text = decoder.decode(piece, { stream: true });
    if (text !== "") await written(text);
    const complete = taken();
    const { empty_lines, lines } = parser.info;
    sinceRow = complete.length > 0 || empty_lines > emptyLines ? 0 : sinceRow + piece.length;
    emptyLines = empty_lines;
    if (sinceRow > maxLineBytes) {
      throw malformed(file.path, lines, `the line is longer than ${maxLineBytes} bytes`);
    }
    yield* complete;
  }
  const rest = decoder.decode();
  if (rest !== "") await written(rest);
  parser.end();
  await settled.promise;
  yield* taken();
}

function csvError(path: string, error: CsvError): Error {
  const line = Number((error as { lines?: number }).lines ?? 0);
  return malformed(path, line > 0 ? line : null, `it is not CSV (${error.message})`);
}
