// Tasks that are not compiled in: a MuJoCo model of the user's with a YAML file beside it, or a
// plug-in .so written against include/rlrun.h. Either gives a struct domain made at run time.
#pragma once

#include "envs/domain.h"

// path: MODEL.xml, with MODEL.yaml beside it (docs/your-own-model.md lists its keys). NULL + err;
// domain and its tasks live until domain->release(domain->context).
const struct domain *custom_domain(const char *path, struct rl_error *err);

// path: PLUGIN.so. Of another ABI version, or without the entry point: RL_EFORMAT.
const struct domain *plugin_domain(const char *path, struct rl_error *err);
// A plug-in is code: it is loaded only after the user has named its path, so that a configuration
// or a run folder of somebody else cannot. Paths are compared as the files that they lead to.
void plugin_permit(const char *path);
