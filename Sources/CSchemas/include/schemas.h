// The schemas that Manifests holds objects to: schemas.jsonl, embedded.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Lines of `APIVERSION KIND`, a tab, and a JSON object. Never freed.
const uint8_t *schemas_start(void);
/// Bytes.
ptrdiff_t schemas_length(void);
