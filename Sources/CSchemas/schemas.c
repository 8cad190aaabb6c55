#include "schemas.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t data[] = {
#embed "schemas.jsonl"
};

const uint8_t *schemas_start(void)
{
	return data;
}

ptrdiff_t schemas_length(void)
{
	return sizeof(data);
}
