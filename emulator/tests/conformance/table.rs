//! The rows: what the service does, how that is known, and the check that the emulator does it.

use std::pin::Pin;

use crate::{
    batches, direct_uploads, errors, file_inputs, idempotency, input_places, lists, presigned,
    reading, uploads,
};

/// How a row is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    /// Documented by the service.
    D,
    /// Seen in the service's own client or answers, or in what S3 documents.
    S,
    /// Unverified: the emulator's choice, and a field of its configuration where it could be otherwise.
    U,
}

use Mark::{D, S, U};

type Check = fn() -> Pin<Box<dyn Future<Output = ()>>>;

pub(crate) struct Row {
    pub(crate) section: &'static str,
    pub(crate) mark: Mark,
    pub(crate) says: &'static str,
    pub(crate) check: Check,
}

/// Every row, section by section.
pub(crate) fn rows() -> Vec<Row> {
    let sections = [
        upload(),
        direct_upload(),
        presigned_put(),
        reading_and_managing(),
        batch(),
        error(),
        idempotency_key(),
        file_input(),
    ];
    sections.into_iter().flatten().collect()
}

/// A function that gives the rows of one section. A macro, so that a row stays on one line.
macro_rules! section {
    { $function:ident, $section:literal, $($mark:ident $says:literal => $check:path;)* } => {
        fn $function() -> Vec<Row> {
            vec![$(Row {
                section: $section,
                mark: $mark,
                says: $says,
                check: || Box::pin($check()),
            }),*]
        }
    };
}

section! { upload, "upload",
    D "answers asset_id, url, mime_type and size_bytes" => uploads::an_upload_answers_what_was_stored;
    D "every type is told from the bytes, not from the name" => uploads::the_type_comes_from_the_bytes_and_not_from_the_name;
    D "a form without a file part is 400 invalid_parameter of file" => uploads::a_form_without_a_file_is_refused;
    D "32 MB pass and a byte more is 413 payload_too_large" => uploads::the_limit_is_32_mib_and_counts_the_file_only;
    U "another type is 400 invalid_parameter of file" => uploads::other_types_and_empty_files_are_refused;
}

section! { direct_upload, "direct upload",
    D "create, PUT and complete make an asset" => direct_uploads::three_steps_make_an_asset;
    S "complete before the PUT is 409 conflict, and may be repeated after it" => direct_uploads::completing_before_the_put_conflicts_and_afterwards_may_be_repeated;
    U "a PUT after completion changes nothing" => direct_uploads::a_put_after_completion_does_not_change_the_asset;
    S "content_type is checked against the stored bytes" => direct_uploads::the_bytes_must_be_of_the_declared_type;
    S "complete checks checksum_sha256, in hex" => direct_uploads::the_bytes_must_have_the_given_checksum;
    S "complete of an unknown asset is 404 asset_not_found" => direct_uploads::an_unknown_asset_cannot_be_completed;
    U "size_bytes under 1 or over max_bytes is 400 invalid_parameter" => direct_uploads::a_size_is_from_1_to_max_bytes;
    U "what is declared is checked field by field" => direct_uploads::what_is_declared_is_checked;
}

section! { presigned_put, "presigned PUT",
    S "answers 200 with an ETag, and a new PUT replaces the object" => presigned::a_put_answers_an_etag_and_may_be_repeated;
    S "an expired URL is 403 AccessDenied, Request has expired" => presigned::an_expired_url_is_denied;
    S "a signed header changed or missing is 403 SignatureDoesNotMatch" => presigned::what_was_signed_must_be_sent;
    S "a URL without a signature is 403 AccessDenied" => presigned::a_url_without_a_signature_is_denied;
    S "an unsigned x-amz header is 403 AccessDenied with HeadersNotSigned" => presigned::unsigned_amazon_headers_are_denied;
    S "a bearer token beside the signature is 400 InvalidArgument" => presigned::an_api_key_is_seen_and_a_bearer_token_is_refused;
    S "a chunked body is 501 NotImplemented" => presigned::a_chunked_body_is_not_implemented;
    S "no length is 403 SignatureDoesNotMatch" => presigned::a_body_without_a_length_does_not_match;
    S "a body shorter than its length is 400 IncompleteBody" => presigned::a_short_body_is_incomplete;
    S "a body that stands still is 400 RequestTimeout" => presigned::a_body_that_stands_still_times_out;
    S "a connection that breaks leaves nothing" => presigned::a_broken_connection_leaves_nothing;
    S "a wrong x-amz-checksum-sha256 is 400 BadDigest" => presigned::a_given_checksum_must_fit_the_bytes;
    S "another method is 405 MethodNotAllowed, in XML" => presigned::other_methods_are_refused_in_xml;
}

section! { reading_and_managing, "reading and managing",
    S "GET of one shows id, name, type, owner, space_id, uploaded_at, folder_id and url" => reading::an_asset_is_shown_as_the_service_shows_it;
    S "GET of an unknown or pending one is 404 asset_not_found" => reading::unknown_and_pending_assets_are_not_found;
    S "DELETE answers the id, and the asset and its file are gone" => reading::a_deleted_asset_and_its_file_are_gone;
    U "DELETE of a pending upload gives it up" => reading::a_pending_upload_can_be_deleted;
    S "a list is newest first, with has_more and next_token beside data" => lists::the_newest_come_first_beside_has_more_and_next_token;
    U "a direct upload is as new as its completion" => lists::a_direct_upload_is_as_new_as_its_completion;
    S "a page has 20 assets unless told" => lists::a_page_has_20_unless_told;
    S "a limit is from 1 to 100" => lists::a_limit_is_from_1_to_100;
    U "pages stay as they are while assets come and go" => lists::pages_stay_as_they_are_while_assets_come_and_go;
    S "a full last page has no more" => lists::a_full_last_page_has_no_more;
    U "a token that is none is 400 invalid_parameter of token" => lists::a_token_is_of_this_list;
    U "username is optional, and every folder is empty" => lists::a_username_may_be_given_and_a_folder_is_empty;
    S "statuses tell queued, completed and not_found" => lists::statuses_tell_queued_completed_and_not_found;
    S "statuses tell processing as long as configured" => lists::statuses_tell_processing_for_a_while;
    S "statuses take 1 to 100 ids" => lists::statuses_take_1_to_100_ids;
}

section! { batch, "batch",
    S "create answers slots, complete 202, and look counts_by_status" => batches::a_batch_goes_from_slots_to_assets;
    S "a bad file fails alone and may be tried again" => batches::a_bad_file_fails_alone_and_may_be_tried_again;
    S "items come in pages, within data" => batches::items_come_in_pages;
    S "1 to 100 files" => batches::a_batch_has_1_to_100_files;
    U "a wrong file refuses the whole batch, by its place" => batches::a_wrong_file_refuses_the_batch;
    U "an unknown batch is 404 batch_not_found" => batches::an_unknown_batch_is_not_found;
    S "statuses take batch_ids" => batches::statuses_take_batches_too;
    U "a deleted asset fails its item" => batches::a_deleted_asset_fails_its_item;
}

section! { error, "errors",
    D "an error has code, message and param, and no doc_url" => errors::an_error_has_a_code_a_message_and_no_doc_url;
    S "a missing or wrong key is 401 unauthorized, by either header" => errors::a_wrong_or_missing_key_is_unauthorized;
    U "unknown routes and wrong methods have the envelope" => errors::unknown_routes_and_wrong_methods_have_the_envelope;
    D "too many requests are 429 rate_limit_exceeded with Retry-After" => errors::too_many_requests_are_told_when_to_come_back;
    U "a 429 is not replayed to its idempotency key" => errors::an_answer_to_a_wait_is_not_replayed;
}

section! { idempotency_key, "idempotency",
    D "the first answer is replayed, even if the body differs" => idempotency::the_first_answer_is_replayed_whatever_the_body;
    U "refusals are replayed too" => idempotency::refusals_are_replayed_too;
    D "a key counts per endpoint and resource" => idempotency::a_key_counts_per_endpoint_and_resource;
    D "every POST has keys" => idempotency::every_post_has_keys;
    U "an answer that asks to come back is not kept" => idempotency::an_answer_that_asks_to_come_back_is_not_kept;
    D "a key in flight is 409 request_in_progress" => idempotency::a_key_in_flight_conflicts_until_its_request_ends;
    U "a body that broke off may be sent again with its key" => idempotency::a_body_that_broke_off_may_be_sent_again_with_its_key;
    D "a key is 1 to 255 of A-Z a-z 0-9 _ - : ." => idempotency::a_malformed_key_is_refused;
    D "an answer is forgotten after its time, 24 h unless configured" => idempotency::an_answer_is_forgotten_in_the_end;
}

section! { file_input, "file inputs",
    D "asset_id, url and base64 make a session" => file_inputs::all_three_inputs_make_a_session;
    D "every place takes all three" => input_places::every_place_takes_all_three_inputs;
    D "every place refuses a bad input by its name" => input_places::every_place_refuses_a_bad_input_by_its_name;
    S "every endpoint answers its fields" => input_places::every_endpoint_answers_its_fields;
    D "required fields are required" => input_places::required_fields_are_required;
    D "a prompt has 1 to 10000 characters" => file_inputs::a_prompt_has_1_to_10000_characters;
    D "a session takes at most 20 files" => file_inputs::a_request_has_at_most_20_files;
    D "a follow-up takes at most 20 files" => input_places::a_follow_up_has_at_most_20_files;
    D "a prompted avatar takes at most 3 reference_images" => input_places::a_prompted_avatar_has_at_most_3_references;
    S "an absent list may be null" => input_places::absent_lists_may_be_null;
    U "an unknown asset is 404, a pending one 400 asset_not_available" => file_inputs::an_asset_must_exist_and_be_complete;
    D "a url that cannot be fetched is 400 download_failed" => file_inputs::urls_that_cannot_be_fetched_fail;
    D "the 32 MB hold for urls, which are sniffed and not redirected" => file_inputs::urls_are_limited_sniffed_and_not_redirected;
    D "base64 is decoded, limited and of its media_type" => file_inputs::base64_is_decoded_limited_and_of_its_media_type;
    U "the largest file fits as base64" => file_inputs::the_largest_file_fits_as_base64;
    U "an unknown kind of input is 400 invalid_parameter" => file_inputs::an_unknown_kind_of_input_is_refused;
}
