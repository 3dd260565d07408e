/* layout_targets.c — the groups /target_names and /targets: what was decided for each target. */
#include "formats/archive/layout.h"

#include <string.h>

static const struct store_column target_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_target, name, NULL),
};

static const struct store_column decision_columns[] = {
    STORE_COLUMN(STORE_U32, struct archive_decision, value, "row of /values"),
    STORE_COLUMN(STORE_F32, struct archive_decision, threshold, "real"),
    STORE_COLUMN(STORE_F32, struct archive_decision, scale, "real per step"),
    STORE_COLUMN(STORE_I32, struct archive_decision, zero_point, "steps"),
    STORE_COLUMN(STORE_I32, struct archive_decision, lo, "steps"),
    STORE_COLUMN(STORE_I32, struct archive_decision, hi, "steps"),
    STORE_COLUMN(STORE_TEXT, struct archive_decision, method, NULL),
    STORE_COLUMN(STORE_F64, struct archive_decision, sqnr_db, "dB"),
    STORE_COLUMN(STORE_F64, struct archive_decision, cosine, "1"),
    STORE_COLUMN(STORE_U64, struct archive_decision, clipped, "elements"),
    STORE_COLUMN(STORE_U64, struct archive_decision, elements, "elements"),
};

static const struct store_column channel_columns[] = {
    STORE_COLUMN(STORE_U32, struct archive_channel, decision, "row of the decisions"),
    STORE_COLUMN(STORE_F32, struct archive_channel, threshold, "real"),
    STORE_COLUMN(STORE_F32, struct archive_channel, scale, "real per step"),
};

static const struct store_column layer_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_layer, name, NULL),
    STORE_COLUMN(STORE_U64, struct archive_layer, n_scales, "scales"),
    STORE_COLUMN(STORE_U64, struct archive_layer, n_biases, "biases"),
    STORE_COLUMN(STORE_TEXT, struct archive_layer, method, NULL),
    STORE_COLUMN(STORE_F64, struct archive_layer, weight_mse, "real^2"),
    STORE_COLUMN(STORE_F64, struct archive_layer, weight_mse_max_abs, "real^2"),
};

static const struct store_column fingerprint_column =
    STORE_COLUMN(STORE_TEXT, struct archive_target, fingerprint, NULL);
static const struct store_column weight_scale_columns[] = {
    {"weight_scale", STORE_F32, 0, sizeof(float), "real per step"}};
static const struct store_column bias_columns[] = {{"bias", STORE_F32, 0, sizeof(float), "real"}};
static const struct store_column code_columns[] = {{"code", STORE_U8, 0, 1, "steps + 128"}};

/* Names of targets are names of groups. Ours are words; a stranger's must not be a path. */
static bool is_group_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* Scales per channel; the group is there only where a value has such. */
static void transfer_target_channels(struct store *store, hid_t parent, struct archive_target *target)
{
    static const char name[] = "channels";
    hid_t group;

    if (store->is_reading ? !store_has(store, parent, name) : target->n_channels == 0)
        return;
    group = store_enter(store, parent, name);
    STORE_LIST(store, group, channel_columns, target, channels, "the scales of channels");
    store_leave(store, group);
}

static void transfer_layers(struct store *store, hid_t parent, struct archive_target *target)
{
    hid_t group = store_enter(store, parent, "layers");

    STORE_LIST(store, group, layer_columns, target, layers, "the layers");
    STORE_LIST(store, group, weight_scale_columns, target, weight_scales, "the scales of weights");
    STORE_LIST(store, group, bias_columns, target, biases, "the biases");
    if (store->is_reading ? store_has(store, group, code_columns[0].name) : target->n_codes > 0)
        STORE_LIST(store, group, code_columns, target, codes, "the codes of weights");
    store_leave(store, group);
}

static void transfer_target(struct store *store, hid_t parent, struct archive_target *target)
{
    hid_t group;

    if (!is_group_name(target->name)) {
        store_fail(store, store->is_reading ? EX_DATAERR : EX_SOFTWARE, "\"%s\" is not the name of a target",
                   target->name);
        return;
    }
    group = store_enter(store, parent, target->name);
    store_attribute(store, group, &fingerprint_column, target, true);
    STORE_LIST(store, group, decision_columns, target, decisions, "the decisions");
    transfer_target_channels(store, group, target);
    transfer_layers(store, group, target);
    store_leave(store, group);
}

void archive_transfer_targets(struct store *store, struct archive *archive)
{
    hid_t names = store_enter(store, store->file, "target_names"), group;

    STORE_LIST(store, names, target_columns, archive, targets, "the targets");
    store_leave(store, names);

    group = store_enter(store, store->file, "targets");
    for (size_t i = 0; i < archive->n_targets && !store->has_failed; i++)
        transfer_target(store, group, &archive->targets[i]);
    store_leave(store, group);
}
