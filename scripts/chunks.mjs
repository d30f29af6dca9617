// A webpack loader for www/sdk/capture/chunks.js: its modules become files of their own beside the library,
// and each `import` there names its file, in a way that browsers and other bundlers understand without any
// code of webpack's.

/** `  forms: () => import("./forms.js"),` */
const IMPORT = /(?<=^ +\w+: \(\) => )import\("\.\/([a-z-]+)\.js"\)/gm;

/** The names of the modules that are imported in `source`. */
export const names = (source) => [...source.matchAll(IMPORT)].map(([, name]) => name);

export const fileOf = (name) => `xdm-beacon-${name}.js`;

export default function load(source) {
  // A script of another origin does not resolve `./` against its own URL, so it says where it is.
  const script = this.getOptions().script;
  const at = (name) => (script ? `new URL("${fileOf(name)}", here)` : `"./${fileOf(name)}"`);
  const modules = source.replace(IMPORT, (_, name) => `import(/* webpackIgnore: true */ ${at(name)})`);
  return script ? `const here = document.currentScript?.src || document.baseURI;\n${modules}` : modules;
}
