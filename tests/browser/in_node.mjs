// node in_node.mjs SITE SCRIPT: run a Python file by the Pyodide of a built site, with minisparse loaded from its lock.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [site, script] = process.argv.slice(2);
const pyodide = `${site}/static/pyodide/`;
try {
  const { loadPyodide } = await import(pathToFileURL(`${pyodide}pyodide.mjs`));
  const python = await loadPyodide({ indexURL: pyodide });
  await python.loadPackage("minisparse", { messageCallback: () => {} });
  await python.runPythonAsync(readFileSync(script, "utf8"));
} catch (error) {
  console.error(String(error.message ?? error).slice(-5000)); // the stack would have all of Pyodide in it
  process.exit(1);
}
