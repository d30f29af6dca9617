// The same shop by vue-router, with paths or, where the page is below /vue-hash, with routes in the fragment.

import { createApp, h } from "vue";
import { createRouter, createWebHashHistory, createWebHistory, RouterLink, RouterView } from "vue-router";

const titles = { "/": "Home", "/mugs": "Mugs", "/cups": "Cups" };

const links = [
  ["mugs", "/mugs"],
  ["blue", "/mugs?colour=blue"],
  ["top", "/mugs?colour=blue#top"],
  ["element", "/by-element"],
  ["loader", "/by-loader"],
  ["cups", "/cups"],
  ["home", "/"],
];

const leaf = (path) => ({ path, component: { render: () => h("h1", path) } });
const byHash = location.pathname.startsWith("/vue-hash");
const router = createRouter({
  history: byHash ? createWebHashHistory("/vue-hash") : createWebHistory("/vue"),
  routes: [
    leaf("/"),
    leaf("/mugs"),
    leaf("/cups"),
    { path: "/by-element", component: { render: () => h("h1"), mounted: () => router.replace("/cups") } },
    { path: "/by-loader", redirect: "/mugs" },
  ],
});
router.afterEach(({ path }) => {
  document.title = titles[path] ?? document.title;
});
createApp({
  render: () => h("main", [...links.map(([id, to]) => h(RouterLink, { id, to }, () => id)), h(RouterView)]),
})
  .use(router)
  .mount(document.body.appendChild(document.createElement("div")));
